"""`SyncDDLExecutor`: lock, look, compare, refuse or apply, record; all models in one pass.

Rule 1: when there is nothing to do, one short question is asked (SQLite: three) and nothing is imported.
Rule 2: what is not automatic is refused with the plan and the command that would apply it; nothing is changed then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dataflow.model.registry import Models
from dataflow.schema import history, registry, wanted
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.history import Applied, Migration
from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow.schema import passing, refusals, undo
    from dataflow.schema.plan import Block, Plan
    from dataflow.schema.undo import RolledBack
else:  # all that a change needs: SQLAlchemy, 110 ms
    passing = Late("dataflow.schema.passing")
    refusals = Late("dataflow.schema.refusals")
    undo = Late("dataflow.schema.undo")

LOCK_TIMEOUT: Final = 30.0  # seconds; the seeds' default of migration_lock_timeout

log = logging.getLogger("dataflow.schema")


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
        digest, names = wanted.digest(specs), [model.spec.table for model in models.stored]
        with self._connect() as connection:
            if self._in_order(connection, digest, names):
                return Applied()
            one = passing.Pass(connection, models, self._application, self._lock_timeout)

            def done() -> bool:
                return registry.exists(connection) and self._in_order(connection, digest, names)

            return one.run(digest, done, accept, progress)

    def plan(self, models: Models) -> Plan:
        """Return what `migrate` would do. Raises: DatabaseUnavailableError; ModelError."""
        with self._connect() as connection:
            return passing.plan(connection, models)

    def rollback(self, to: int | None = None, *, dry_run: bool = False, accept: str = "") -> RolledBack:
        """Undo the latest migration, or all after the one with the id *to*; see `dataflow.schema.undo`."""
        with self._connect() as connection:
            return undo.rollback(connection, self._application, self._lock_timeout, to, dry_run=dry_run, accept=accept)

    def history(self) -> list[Migration]:
        """Return what was done to this database, oldest first."""
        with self._connect() as connection:
            return history.read(connection)

    def applications(self) -> list[registry.Entry]:
        """Return which applications use this database, with which models."""
        with self._connect() as connection:
            return registry.read(connection)

    def check(self, models: Models) -> None:
        """Compare tables that are somebody else's with the models; change nothing.

        Raises: SchemaMismatchError with all differences, missing tables among them.
        """
        with self._connect() as connection:
            refusals.refuse(passing.differences(connection, models))

    def _in_order(self, connection: Connection, digest: str, names: Sequence[str]) -> bool:
        """Whether these models were found in order before, and the catalogue is as it was then."""
        notice = registry.in_order(connection, self._application, digest, names)
        if notice:
            log.warning("%s", notice)
        return notice is not None
