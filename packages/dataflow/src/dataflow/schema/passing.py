"""One pass that has something to do: plan, carry out, record. Imports all that it takes, SQLAlchemy among it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from dataflow.model.registry import Models
from dataflow.schema import carrying, diff, fits, history, refusals, registry, session, wanted
from dataflow.schema.after import after_all
from dataflow.schema.changes import Change, CreateTable, reverse, table_of
from dataflow.schema.compilers import compiler_of
from dataflow.schema.connection import Connection
from dataflow.schema.fingerprint import fingerprint
from dataflow.schema.inspect import inspect
from dataflow.schema.measure import Facts, measure
from dataflow.schema.plan import Block, Plan, planned
from dataflow.schema.state import SchemaState

log = logging.getLogger("dataflow.schema")

BUILDING: Final = "another process builds indexes beside the traffic; this one goes on without them"


class Pass:
    """What is known of one pass."""

    def __init__(self, connection: Connection, models: Models, application: str, lock_timeout: float) -> None:
        self._connection = connection
        self._models = models
        self._application = application
        self._lock_timeout = lock_timeout

    def run(
        self,
        digest: str,
        in_order: Callable[[], bool],
        accept: str,
        progress: Callable[[Block], None] | None,
    ) -> history.Applied:
        """Do it, or raise what `dataflow.schema.migrate.SyncDDLExecutor.migrate` says."""
        began, connection, told = time.perf_counter(), self._connection, progress or _told
        with session.transaction(connection, self._lock_timeout):
            if in_order():  # somebody else did it while we waited
                return history.Applied()
            found = plan(connection, self._models)
            if under_alembic(connection) and accept != found.name:
                refusals.refuse_under_alembic(found)
                return history.Applied()  # and no table of ours in a database that is somebody else's to shape
            refusals.refuse_plan(found, accept)
            now = [block for block in found.blocks if not block.concurrent]
            late = [block for block in found.blocks if block.concurrent]
            for create in (history.CREATE, registry.CREATE):
                session.run(connection, Block((), (create[connection.dialect],)), "make the tables of the history")
            for notice in found.notices:
                log.warning("%s", notice)
            carrying.carry_out(connection, found, told)
            self._record([change for block in now for change in block.changes], began)
            if not late:
                self._note(digest)
        if late and not self._finish(late, digest, told):
            log.warning(BUILDING)
        seconds = time.perf_counter() - began
        if found.changes:
            log.info("made %d changes of the schema in %.3f s", len(found.changes), seconds)
        return history.Applied(found.changes, seconds)

    def _finish(self, late: list[Block], digest: str, told: Callable[[Block], None]) -> bool:
        """Build what is built beside the traffic, and then write down that everything is in order."""
        began = time.perf_counter()
        if not session.build_beside(self._connection, late, told):
            return False
        with session.transaction(self._connection, self._lock_timeout):
            self._record([change for block in late for change in block.changes], began)
            self._note(digest)
        return True

    def _record(self, changes: list[Change], began: float) -> None:
        if not changes:
            return
        models = registry.current(registry.read(self._connection), self._specs())
        touched = {table_of(change) for change in changes}
        history.record(
            self._connection,
            history.Migration(
                application=self._application,
                host=history.host(),
                models={model.name: models[model.name] for model in self._models if model.spec.table in touched},
                changes=tuple(changes),
                seconds=time.perf_counter() - began,
            ),
        )

    def _note(self, digest: str) -> None:
        names = [model.spec.table for model in self._models.stored]
        catalogue = fingerprint(self._connection, names)
        notice = registry.note(
            self._connection, self._application, digest, self._specs(), catalogue=catalogue, host=history.host()
        )
        if notice:
            log.warning("%s", notice)

    def _specs(self) -> dict[str, Any]:
        return {model.name: wanted.plain(model.spec) for model in self._models}


def plan(connection: Connection, models: Models) -> Plan:
    """Return what leads from what is there to what *models* ask for."""
    have, found, facts = _compared(connection, models)
    made = planned(have, found.changes, facts, connection.dialect)
    return Plan(made.steps, made.blocks, found.impossible, found.notices)


def way_back(connection: Connection, models: Models) -> Plan:
    """Return the plan that would undo `plan`."""
    have, found, facts = _compared(connection, models)
    return planned(after_all(have, found.changes), reverse(found.changes), facts, connection.dialect)


def _compared(connection: Connection, models: Models) -> tuple[SchemaState, diff.Difference, Facts]:
    want = wanted.want(models, compiler_of(connection.dialect))
    have = inspect(connection, names_of(models))
    found = diff.diff(have, want, connection.dialect)
    tables = {table_of(change) for change in found.changes if not isinstance(change, CreateTable)}
    return have, found, measure(connection, tables & have.tables.keys())


def names_of(models: Models) -> list[str]:
    """Return the names of the tables of *models*, and what they may be called as yet."""
    return [name for model in models.stored for name in (model.spec.table, *model.spec.renamed)]


def differences(connection: Connection, models: Models) -> list[str]:
    """Return, in sentences, how tables that are somebody else's differ from the models."""
    want = wanted.want(models, compiler_of(connection.dialect)).state
    have = inspect(connection, want.tables)
    absent = [f"table {name} is missing" for name in want.tables if name not in have.tables]
    return [*absent, *fits.differences(have, want, connection.dialect)]


def under_alembic(connection: Connection) -> bool:
    """Whether Alembic shapes this database, and we never have."""
    there = history.EXISTS[connection.dialect]
    return bool(connection.ask(there, ("alembic_version",))[0][0]) and not history.exists(connection)


def _told(block: Block) -> None:
    """Nobody wants to know."""
