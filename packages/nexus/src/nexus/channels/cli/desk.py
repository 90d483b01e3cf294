"""What every command works with: the application, the terminal, and one event loop for one command.

Rule: only `Desk` writes to standard error, and only `Desk` starts an event loop.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

import click

from kailash._standard import asyncio
from kailash.capability import Capability, Catalogue
from kailash.errors import ConfigurationError, KailashError, NotAvailableError
from nexus.call import Call, Ticket
from nexus.channels.cli import locate, output, verbs
from nexus.channels.cli.formats import Format
from nexus.errors import UnconfirmedError

T = TypeVar("T")


class Run(Protocol):
    """Runs a coroutine to its end."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Return what *work* gives."""


class Manner(click.ParamType[Format]):
    """Reads the name of a format."""

    name = "format"

    def __init__(self, *known: Format) -> None:
        self._known = known or tuple(Format)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Format:
        for each in self._known:
            if value in {each, each.value}:
                return each
        return self.fail(f"{value!r} is not one of {', '.join(each.value for each in self._known)}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "|".join(each.value for each in self._known)


class Desk:
    """One run of the program. Everything but the application itself is decided when it is first asked for."""

    def __init__(self, application: locate.Application | None = None) -> None:
        self._application = application
        self._loaded = False  # by this program, and not given to it
        self._refused: KailashError | None = None
        self.settings: dict[str, Any] = {}  # of the command line, the outer ones first

    def note(self, given: Mapping[str, Any]) -> None:
        """Remember what the command line says; an inner word wins, and one that says nothing changes nothing."""
        self.settings.update({name: value for name, value in given.items() if value is not None})

    def application(self) -> locate.Application:
        """Return the application. Raises: NoApplicationError; UnusableApplicationError."""
        if self._refused is not None:
            raise self._refused
        if self._application is None:
            try:
                self._application = self._load()
            except KailashError as error:
                self._refused = error
                raise
        return self._application

    @property
    def catalogue(self) -> Catalogue:
        """What this application offers on the command line."""
        return self.application().catalogue_of("cli")

    @cached_property
    def resources(self) -> Mapping[str, Sequence[Capability]]:
        """The capabilities of each resource, by its word, in the order of the words.

        Made once: help asks for every resource in turn.
        """
        found: dict[str, list[Capability]] = {}
        for capability in self.catalogue.values():
            if capability.resource:
                found.setdefault(verbs.dashed(capability.resource), []).append(capability)
        return dict(sorted(found.items()))

    @property
    def trouble(self) -> KailashError | None:
        """Why there is nothing to offer, if so; help says it and goes on, a command ends with it."""
        try:
            options = self.application().options
        except KailashError as error:
            return error
        if options.enable_cli:
            return None
        return NotAvailableError("this application has its command line switched off", hint="see Nexus(enable_cli=...)")

    @contextmanager
    def loop(self) -> Iterator[Run]:
        """Give a function that runs a coroutine; there is one event loop for the whole command.

        What asks a person stands between two runs, never inside one: asyncio keeps an interruption from a prompt.
        What the application holds is given back, if this program loaded it: then nobody needs it any more.
        """
        application = self.application()
        if not self.settings.get("verbose"):
            logging.getLogger("nexus").addHandler(logging.NullHandler())  # a program's own logging still hears of it

        async def give_back() -> None:
            for provider in application.catalogue_of("cli").providers if self._loaded else ():
                provider.close()

        with asyncio.Runner() as runner:
            try:
                yield runner.run
            finally:
                runner.run(give_back())

    async def ask(self, capability: Capability, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the value of one call. Raises: the KailashError that refused or broke it."""
        return await self.ask_for(capability.name, inputs)

    async def ask_for(self, name: str, inputs: Mapping[str, Any], ticket: Ticket | None = None) -> Mapping[str, Any]:
        """Return the value of one call of what has that name."""
        began = time.perf_counter()
        call = Call(channel="cli", capability=name, inputs=inputs, ticket=ticket)
        outcome = await self.application().answer(call)
        self.detail(f"{name} took {(time.perf_counter() - began) * 1000:.1f} ms")
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def sibling(self, capability: Capability, action: str) -> Capability | None:
        """Return another capability of the same resource, where there is one."""
        siblings = self.resources[verbs.dashed(capability.resource)]
        return next((each for each in siblings if each.action == action), None)

    def _load(self) -> locate.Application:
        folder = Path.cwd()
        place = locate.find(self.settings.get("app"), os.environ, folder)
        began = time.perf_counter()
        with redirect_stdout(sys.stderr):  # what a program prints on import is no value
            application = locate.load(place, folder)
        self._loaded = True
        self.detail(f"loaded {place} ({place.source}) in {(time.perf_counter() - began) * 1000:.0f} ms")
        return application

    # --- the terminal ---

    @property
    def screen(self) -> output.Screen:
        """Where values go. Raises: ConfigurationError for a format that the application switched off."""
        terminal = sys.stdout.isatty()
        return output.Screen(
            format=self._format(terminal=terminal),
            stream=_plain_text(sys.stdout),
            terminal=terminal,
            color=terminal and self.colored,
            width=shutil.get_terminal_size().columns,
        )

    @property
    def explicit_format(self) -> Format | None:
        """The format that somebody asked for, if somebody did."""
        return self.settings.get("output")

    @property
    def colored(self) -> bool:
        """Whether color is welcome (https://no-color.org)."""
        return not (self.settings.get("no_color") or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb")

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def say(self, sentence: str) -> None:
        """Tell a person something that is no value."""
        if not self.settings.get("quiet"):
            click.echo(sentence, err=True)

    def detail(self, sentence: str) -> None:
        """Tell a person who asked for ``--verbose``."""
        if self.settings.get("verbose"):
            click.echo(sentence, err=True)

    def confirm(self, deed: str) -> None:
        """Return when a person agrees, or did so with ``--yes``. Raises: UnconfirmedError."""
        if self.settings.get("yes"):
            return
        if not self.interactive:
            raise UnconfirmedError(f"{deed} needs a confirmation", hint="pass --yes, or look first with --dry-run")
        if not click.confirm(f"{deed}: really?", err=True):
            raise UnconfirmedError(f"{deed} was not confirmed", hint="nothing was changed")

    def _format(self, *, terminal: bool) -> Format:
        allowed = [Format(name) for name in self._formats()]
        chosen: Format | None = self.explicit_format
        if chosen is None:
            usual = Format.TABLE if terminal else Format.JSON
            return usual if usual in allowed else allowed[0]
        if chosen not in allowed:
            names = ", ".join(each.value for each in allowed)
            raise ConfigurationError(f"this application has no output {chosen.value!r}", hint=f"use one of: {names}")
        return chosen

    def _formats(self) -> tuple[str, ...]:
        if self._application is None:
            return tuple(each.value for each in Format)
        return self._application.options.output_formats or tuple(each.value for each in Format)


def _plain_text(stream: TextIO) -> TextIO:
    """Make *stream* UTF-8 with bare newlines where it is no terminal: what comes out is what is stored."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        if stream.isatty():
            reconfigure(errors="replace")
        else:
            reconfigure(encoding="utf-8", errors="strict", newline="\n")
    return stream
