"""How a database stands: can it be reached, and is it what the models say? Nothing is made by looking."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dataflow.errors import SchemaMismatchError
from kailash import masking
from kailash.checkup import Check, State
from kailash.errors import KailashError

if TYPE_CHECKING:
    from dataflow.executors.url import DatabaseURL
    from dataflow.options import Options
    from dataflow.schema.front import Schema


class Database(Protocol):
    """What is looked at of a `DataFlow`."""

    options: Options
    url: DatabaseURL

    @property
    def models(self) -> Sized:
        """The models."""

    @property
    def schema(self) -> Schema:
        """The schema."""

    def health_check(self) -> dict[str, Any]:
        """Return whether the database can be reached."""


def checkup(database: Database) -> Sequence[Check]:
    """Return what there is to say of *database*; blocking."""
    reached = _unmade(database) or _reached(database)
    if reached.state is not State.OK:
        return [reached, Check("schema", State.NOTE, "not looked at")]
    try:
        return [reached, _schema(database)]
    except KailashError as error:
        return [reached, Check("schema", State.FAILED, error.message, error.hint)]


def configuration(database: Database) -> Mapping[str, Any]:
    """Return the options of *database*, secrets masked."""
    given = msgspec.structs.asdict(database.options) | {"database_url": str(database.url)}
    if database.options.cache_url:
        given["cache_url"] = masking.masked_url(database.options.cache_url)
    return {name: masking.masked(name, value) for name, value in given.items()}


def _unmade(database: Database) -> Check | None:
    """Return what is said of a SQLite file that is not there: connecting would make it."""
    if database.url.dialect != "sqlite" or database.url.memory or os.path.exists(database.url.path):
        return None
    folder = Path(database.url.path).absolute().parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        return Check("database", State.NOTE, f"{database.url} is not there yet: the first operation makes it")
    said = f"{database.url} cannot be made: its folder {'cannot be written' if folder.is_dir() else 'is not there'}"
    return Check("database", State.FAILED, said, "make the folder, or name another file")


def _reached(database: Database) -> Check:
    began = time.perf_counter()
    told = database.health_check()
    if told["status"] != "healthy":
        hint = "see that the server runs, and that the URL names it"
        return Check("database", State.FAILED, f"{database.url}: {told['error']}", hint)
    return Check("database", State.OK, f"{database.url} answers in {(time.perf_counter() - began) * 1000:.1f} ms")


def _schema(database: Database) -> Check:
    said = database.options
    if not len(database.models):
        return Check("schema", State.NOTE, "no models are declared", "name the application with --app")
    if said.existing_schema_mode:
        try:
            database.schema.check()
        except SchemaMismatchError as error:
            return Check("schema", State.FAILED, error.message, error.hint)
        return Check("schema", State.OK, f"somebody else's, and what the {_counted(database)} say")
    told = database.schema.status()
    if told["in_order"]:
        return Check("schema", State.OK, f"what the {_counted(database)} say; {told['migrations']} migrations so far")
    if not told["automatic"]:
        return Check(
            "schema", State.FAILED, "it is not what the models say, and changing it needs you", "dataflow plan"
        )
    waiting = f"{told['pending']} changes are due"
    if said.auto_migrate is True and said.migration_enabled:
        return Check("schema", State.NOTE, f"{waiting}: the first operation makes them", "dataflow plan shows them")
    return Check("schema", State.FAILED, f"{waiting}, and nobody makes them by itself", "dataflow migrate")


def _counted(database: Database) -> str:
    number = len(database.models)
    return f"{number} models" if number != 1 else "one model"
