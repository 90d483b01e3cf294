"""Find the Nexus that a command is for, and load it without starting it; see `kailash.programs`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from kailash import programs
from kailash.capability import Catalogue
from kailash.programs import Maker, NoApplicationError, Place, Sought, UnusableApplicationError
from nexus.call import Call, Outcome
from nexus.channels.base import ASGI
from nexus.options import Options

__all__ = ["NoApplicationError", "Place", "UnusableApplicationError", "assigned", "find", "load"]

NEXUS: Final = Maker("Nexus", ("nexus", "nexus.core", "nexus.app"))
SOUGHT: Final = Sought(NEXUS, NEXUS, "NEXUS_APP", "nexus", "app", ("app.py", "main.py"))


class Agents(Protocol):
    """What the command line needs of the channel for agents."""

    def stdio(self) -> None:
        """Serve over this process's standard streams until the input ends."""


@runtime_checkable
class Application(Protocol):
    """What a command needs of a Nexus; the command line never learns more of it."""

    options: Options

    def catalogue_of(self, channel: str) -> Catalogue:
        """Return what can be asked for over *channel*."""

    async def answer(self, call: Call) -> Outcome:
        """Return what came of *call*, as every channel hears it."""

    def start(self) -> None:
        """Serve until stopped."""

    def discover(self) -> object:
        """Offer the workflows that ``auto_discovery`` finds, blocking, once."""

    @property
    def asgi(self) -> ASGI:
        """The HTTP application."""

    @property
    def mcp(self) -> Agents:
        """The channel for agents."""


def find(option: str | None, environ: Mapping[str, str], folder: Path) -> Place:
    """Return where the application is.

    Raises: NoApplicationError, when nobody named one and *folder* holds none, or several.
    """
    return programs.find(SOUGHT, option, environ, folder)


def load(place: Place, folder: Path) -> Application:
    """Return the application at *place*, importing its module from *folder* or the installed packages.

    Raises: UnusableApplicationError, with the exception of the program as its cause.
    """
    found: Application = programs.load(SOUGHT, place, folder, lambda value: isinstance(value, Application))
    return found


def assigned(tree: ast.Module) -> list[str]:
    """Return the names at the top of a module that hold a ``Nexus(...)``, in order."""
    return programs.assigned(NEXUS, tree)
