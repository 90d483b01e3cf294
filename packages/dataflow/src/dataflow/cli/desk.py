"""What every command works with: the database, the terminal, and a person to ask."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.cli import locate, output
from dataflow.errors import UnconfirmedError

if TYPE_CHECKING:
    from dataflow.database import DataFlow


class Desk:
    """One run of the program. Everything is decided when it is first asked for."""

    def __init__(self, database: DataFlow | None = None) -> None:
        self._database = database
        self._loaded: list[DataFlow] = []  # by this program, and not given to it
        self.settings: dict[str, Any] = {}

    def note(self, given: Mapping[str, Any]) -> None:
        """Remember what the command line says; an inner word wins, and one that says nothing changes nothing."""
        self.settings.update({name: value for name, value in given.items() if value is not None})

    def database(self) -> DataFlow:
        """Return the application's database, with its models. Raises: ApplicationError."""
        if self._database is None:
            place = locate.find(self.settings.get("app"), os.environ, Path.cwd())
            with redirect_stdout(sys.stderr):  # what a program prints on import is no value
                self._database = locate.load(place, Path.cwd())
            self._loaded.append(self._database)
        return self._database

    def bare_database(self) -> DataFlow:
        """Return the application's database, or without an application the one of ``$DATABASE_URL``, with no models."""
        try:
            return self.database()
        except locate.NoApplicationError:
            if not os.environ.get("DATABASE_URL"):
                raise
        self._database = locate.bare()
        self._loaded.append(self._database)
        return self._database

    def close(self) -> None:
        """Give back what this program opened."""
        for database in self._loaded:
            database.close()

    # -- the terminal ----------------------------------------------------------------------------------------

    @property
    def form(self) -> str:
        """The format of values: "json" or "table"."""
        asked = self.settings.get("output") or os.environ.get("DATAFLOW_OUTPUT")
        return str(asked or ("table" if sys.stdout.isatty() else "json"))

    def records(self, found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Show a list; a table has *columns*, JSON has everything."""
        output.records(sys.stdout, self.form, found, columns)

    def record(self, found: Mapping[str, Any]) -> None:
        """Show one thing."""
        output.record(sys.stdout, self.form, found)

    def say(self, sentence: str) -> None:
        """Tell a person something that is no value."""
        if not self.settings.get("quiet"):
            click.echo(sentence, err=True)

    def confirm(self, deed: str) -> None:
        """Return when a person agrees, or did so with ``--yes``. Raises: UnconfirmedError."""
        if self.settings.get("yes"):
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UnconfirmedError(f"{deed} needs a confirmation", hint="pass --yes, or look first with --dry-run")
        if not click.confirm(f"{deed}: really?", err=True):
            raise UnconfirmedError(f"{deed} was not confirmed", hint="nothing was changed")


def settings() -> list[click.Parameter]:
    """Return the options that every command takes, before and after its word."""

    def note(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        ctx.ensure_object(Desk).note({str(param.name): value})

    def option(names: list[str], **more: Any) -> click.Option:
        return click.Option(names, callback=note, expose_value=False, default=None, **more)

    return [
        option(["--app", "-a"], metavar="MODULE:ATTR", help="Where the DataFlow is; else $DATAFLOW_APP, app.py, ..."),
        option(["--output", "-o"], type=click.Choice(output.FORMATS), help="A table on a terminal, else JSON."),
        option(["--yes", "-y"], is_flag=True, help="Agree beforehand to what a command asks."),
        option(["--quiet", "-q"], is_flag=True, help="Say nothing but what was asked for."),
        option(["--verbose", "-v"], is_flag=True, help="Tell more of what goes wrong."),
    ]


def command(*options: click.Parameter) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function that takes a `Desk` and *options*; its docstring is the help."""

    def make(function: Callable[..., Any]) -> click.Command:
        made = click.command()(click.make_pass_decorator(Desk, ensure=True)(function))
        made.params += [*options, *settings()]
        return made

    return make
