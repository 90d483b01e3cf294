"""Find the `DataFlow` that a command is for, and load it without starting a server; see `kailash.programs`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kailash import programs
from kailash._lazy import Late
from kailash.programs import Maker, NoApplicationError, Place, Sought, UnusableApplicationError

if TYPE_CHECKING:
    from dataflow import database
else:  # everything that an operation needs, which help does without
    database = Late("dataflow.database")

__all__ = ["NoApplicationError", "Place", "UnusableApplicationError", "bare", "find", "load"]

DATAFLOW: Final = Maker("DataFlow", ("dataflow", "dataflow.database", "dataflow.core.engine"))
SERVER: Final = Maker("Nexus", ("nexus", "nexus.core", "nexus.app"))
SOUGHT: Final = Sought(DATAFLOW, SERVER, "DATAFLOW_APP", "dataflow", "db", ("app.py", "main.py", "models.py", "db.py"))


def find(option: str | None, environ: Mapping[str, str], folder: Path) -> Place:
    """Return where the database is declared. Raises: NoApplicationError, UnusableApplicationError."""
    return programs.find(SOUGHT, option, environ, folder)


def load(place: Place, folder: Path) -> database.DataFlow:
    """Return the database at *place*, importing its module from *folder* or the installed packages.

    Raises: UnusableApplicationError, with the exception of the program as its cause.
    """
    found: database.DataFlow = programs.load(SOUGHT, place, folder, lambda value: isinstance(value, database.DataFlow))
    return found


def bare() -> database.DataFlow:
    """Return the database of ``$DATABASE_URL``, without models."""
    return database.DataFlow(existing_schema_mode=True)
