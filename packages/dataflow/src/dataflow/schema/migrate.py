"""`SyncDDLExecutor`: lock, look, compare, refuse or apply, record; all models in one pass.

Rule 1: when there is nothing to do, two short questions are asked and nothing is imported.
Rule 2: what is not automatic is refused with the plan and the command that would apply it; nothing is changed then.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dataflow.errors import MigrationRefusedError, SchemaMismatchError
from dataflow.model.registry import Models
from dataflow.schema import fingerprint, registry, wanted
from dataflow.schema.changes import Change
from dataflow.schema.connection import Connect, Connection

if TYPE_CHECKING:
    from dataflow.schema.history import Migration
    from dataflow.schema.plan import Block, Plan

LOCK_TIMEOUT: Final = 30.0  # seconds; the seeds' default of migration_lock_timeout

log = logging.getLogger("dataflow.schema")


class Applied(msgspec.Struct, frozen=True):
    """What a migration did; empty when everything was there."""

    changes: tuple[Change, ...] = ()
    seconds: float = 0.0


class SyncDDLExecutor:
    """Makes the schema what the models say, blocking; needs no event loop."""

    def __init__(self, connect: Connect, lock_timeout: float = LOCK_TIMEOUT, application: str = "") -> None:
        """*connect*: `dataflow.executors.sync.SyncExecutor.ddl`. lock_timeout: in seconds. application: its name."""
        self._connect = connect
        self._lock_timeout = lock_timeout
        self._application = application or "an application"

    def migrate(self, models: Models, *, accept: str = "", progress: Callable[[Block], None] | None = None) -> Applied:
        """Make the schema what *models* say, in one transaction, or change nothing.

        accept: the name of the plan that somebody agrees to. progress: is told of each block that is done.

        Raises: MigrationRefusedError, with the plan; MigrationFailedError; MigrationLockedError;
        DatabaseUnavailableError; ModelError for a foreign key that points nowhere.
        """
        specs = [model.spec for model in models]
        if not specs:
            return Applied()
        digest, names = wanted.digest(specs), [spec.table for spec in specs]
        with self._connect() as connection:
            if self._in_order(connection, digest, names):
                return Applied()
            passing: Any = import_module("dataflow.schema.passing")  # all that a change needs: SQLAlchemy, 110 ms
            one = passing.Pass(connection, models, self._application, self._lock_timeout)
            applied: Applied = one.run(digest, lambda: self._in_order(connection, digest, names), accept, progress)
            return applied

    def plan(self, models: Models) -> Plan:
        """Return what `migrate` would do. Raises: DatabaseUnavailableError; ModelError."""
        passing: Any = import_module("dataflow.schema.passing")
        with self._connect() as connection:
            plan: Plan = passing.plan(connection, models)
            return plan

    def rollback(self, to: int | None = None, *, dry_run: bool = False, accept: str = "") -> Any:
        """Undo the latest migration, or all after the one with the id *to*; see `dataflow.schema.undo`."""
        undo: Any = import_module("dataflow.schema.undo")
        with self._connect() as connection:
            return undo.rollback(connection, self._application, self._lock_timeout, to, dry_run=dry_run, accept=accept)

    def history(self) -> list[Migration]:
        """Return what was done to this database, oldest first."""
        with self._connect() as connection:
            found: list[Migration] = import_module("dataflow.schema.history").read(connection)
            return found

    def applications(self) -> list[registry.Entry]:
        """Return which applications use this database, with which models."""
        with self._connect() as connection:
            return registry.read(connection)

    def check(self, models: Models) -> None:
        """Compare tables that are somebody else's with the models; change nothing.

        Raises: SchemaMismatchError with all differences, missing tables among them.
        """
        passing: Any = import_module("dataflow.schema.passing")
        with self._connect() as connection:
            refuse(passing.differences(connection, models))

    def _in_order(self, connection: Connection, digest: str, names: Sequence[str]) -> bool:
        """Whether these models were found in order before, and the catalogue is as it was then."""
        there, catalogue = fingerprint.look(connection, names, registry.TABLE)
        seen = registry.seen(connection, self._application, digest) if there else None
        if seen is None or seen[0] != catalogue:
            return False
        if seen[1]:
            log.warning("%s", seen[1])
        return True


def refuse(differences: Sequence[str]) -> None:
    """Raise SchemaMismatchError, unless there is no difference."""
    if differences:
        raise SchemaMismatchError(
            "the database is not what the models say: " + "; ".join(differences),
            hint="change the models or the tables; with existing_schema_mode nothing is changed here",
        )


def host() -> str:
    """Return the name of this machine, for the history."""
    return socket.gethostname()


def refuse_plan(plan: Plan, accept: str) -> None:
    """Raise MigrationRefusedError unless *plan* may happen. *accept*: the name of the plan that somebody agrees to."""
    if plan.obstacles:
        raise MigrationRefusedError(
            f"the schema cannot follow the models: {'; '.join(plan.obstacles)}; nothing was changed",
            hint="change the models as said, or the tables by hand",
            plan=plan.name,
        )
    if plan.consent and accept != plan.name:
        said = "; ".join(f"{sentence}" for sentence in sentences(plan))
        stale = f"the plan is another one by now than {accept}: " if accept else ""
        raise MigrationRefusedError(
            f"{stale}the schema does not follow the models by itself: {said}; nothing was changed",
            hint=f"look with `dataflow plan`, then apply it with `dataflow migrate --accept {plan.name}`",
            plan=plan.name,
        )


def refuse_under_alembic(plan: Plan) -> None:
    """Raise MigrationRefusedError where something would have to change in a database that Alembic shapes."""
    if plan.changes or plan.obstacles:
        raise MigrationRefusedError(
            f"this database is under Alembic, and {len(plan.changes)} changes are wanted; nothing was changed",
            hint=f"`dataflow migrate --emit alembic` writes the revision; --accept {plan.name} does it from here",
            plan=plan.name,
        )


def sentences(plan: Plan) -> list[str]:
    """Return the steps that somebody must agree to, with their reasons."""
    named: Any = import_module("dataflow.schema.plan")
    return [
        f"{named.described(step.change)} ({step.risk.reason}{'; loses ' + step.risk.loses if step.risk.loses else ''})"
        for step in plan.consent
    ]
