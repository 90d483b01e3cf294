"""`SyncDDLExecutor`: lock, look, compare, make what is missing, record; all models in one pass."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import msgspec

from dataflow.errors import DuplicateError, SchemaMismatchError
from dataflow.model.registry import Models
from dataflow.schema import diff, history, wanted
from dataflow.schema.changes import Change
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.fingerprint import fingerprint
from dataflow.schema.inspect import inspect
from dataflow.schema.lock import begin_locked
from dataflow.schema.state import SchemaState

LOCK_TIMEOUT: Final = 30.0  # seconds; the seeds' default of migration_lock_timeout

log = logging.getLogger("dataflow.schema")


class Applied(msgspec.Struct, frozen=True):
    """What a migration did; empty when everything was there."""

    changes: tuple[Change, ...] = ()


class SyncDDLExecutor:
    """Makes the tables of models, blocking; needs no event loop.

    Nothing to do costs three short questions, and imports nothing.
    """

    def __init__(self, connect: Connect, lock_timeout: float = LOCK_TIMEOUT) -> None:
        """*connect*: `dataflow.executors.sync.SyncExecutor.ddl`. lock_timeout: in seconds."""
        self._connect = connect
        self._lock_timeout = lock_timeout

    def migrate(self, models: Models) -> Applied:
        """Make the tables and indexes that are missing, in one transaction, or none of them.

        Raises: SchemaMismatchError with all differences of tables that exist; MigrationLockedError;
        DatabaseUnavailableError; ModelError for a foreign key that points nowhere.
        """
        specs = [model.spec for model in models]
        if not specs:
            return Applied()
        digest, names = wanted.digest(specs), [spec.table for spec in specs]
        with self._connect() as connection:
            if _in_order(connection, digest, names):
                return Applied()
            begin_locked(connection, self._lock_timeout)
            if _in_order(connection, digest, names):  # somebody else did it while we waited
                return Applied()
            changes = _make(connection, models, names)
            history.record(connection, digest, fingerprint(connection, names), changes)
            connection.commit()
        log.info("made %d tables and indexes", len(changes))
        return Applied(changes)

    def check(self, models: Models) -> None:
        """Compare tables that are somebody else's with the models; change nothing.

        Raises: SchemaMismatchError with all differences, missing tables among them.
        """
        with self._connect() as connection:
            names = [model.spec.table for model in models]
            have, want = inspect(connection, names), _want(connection, models, names)
            absent = [f"table {name} is missing" for name in names if name not in have.tables]
            _refuse([*absent, *diff.differences(have, want, connection.dialect)])


def _in_order(connection: Connection, digest: str, names: Sequence[str]) -> bool:
    """Whether these models were found in order before, and the catalogue is as it was then."""
    if not history.exists(connection):
        return False
    catalogue = history.catalogue_of(connection, digest)
    return catalogue is not None and catalogue == fingerprint(connection, names)


def _make(connection: Connection, models: Models, names: Sequence[str]) -> tuple[Change, ...]:
    have, want = inspect(connection, names), _want(connection, models, names)
    _refuse(diff.differences(have, want, connection.dialect))
    changes = diff.missing(have, want)
    ddl = import_module("dataflow.schema.ddl")  # SQLAlchemy: 110 ms
    try:
        for statement in ddl.statements(changes, models.metadata, ddl.of_dialect(connection.dialect)):
            connection.ask(statement)
    except DuplicateError as fault:
        raise SchemaMismatchError(
            "a unique index cannot be made on a table that exists: some of its records are the same there",
            hint="remove the duplicates, or the unique index from the model",
        ) from fault
    return changes


def _want(connection: Connection, models: Models, names: Sequence[str]) -> SchemaState:
    ddl = import_module("dataflow.schema.ddl")  # SQLAlchemy: 110 ms
    tables = models.metadata.tables
    return wanted.state([tables[name] for name in names], ddl.of_dialect(connection.dialect))


def _refuse(differences: Sequence[str]) -> None:
    if differences:
        raise SchemaMismatchError(
            "the database is not what the models say: " + "; ".join(differences),
            hint="change the models or the tables; this version of dataflow changes no table that exists",
        )
