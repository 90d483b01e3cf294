"""``db.schema``: the schema of one application's database, as its author and the command line speak to it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from dataflow.model.registry import Models
from dataflow.options import Options
from dataflow.schema import registry, wanted
from dataflow.schema.connection import Connect
from dataflow.schema.history import Applied
from dataflow.schema.migrate import SyncDDLExecutor
from kailash._lazy import Late
from kailash.errors import ConfigurationError

if TYPE_CHECKING:
    from dataflow.schema import classes, discovery, passing, source, verify
    from dataflow.schema import plan as planning
    from dataflow.schema.discovery import Discovery
    from dataflow.schema.history import Migration
    from dataflow.schema.plan import Block, Plan
    from dataflow.schema.undo import RolledBack
    from dataflow.schema.verify import Finding
else:  # for who looks at a schema, not for every start
    classes = Late("dataflow.schema.classes")
    discovery = Late("dataflow.schema.discovery")
    passing = Late("dataflow.schema.passing")
    planning = Late("dataflow.schema.plan")
    source = Late("dataflow.schema.source")
    verify = Late("dataflow.schema.verify")

log = logging.getLogger("dataflow.schema")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the constructor's options say of the schema."""

    lock_timeout: float  # seconds
    application: str = ""
    why_not: str = ""  # the option that forbids any change

    @classmethod
    def read(cls, options: Options, application: str) -> Settings:
        """Return what *options* say; application: what the URL calls the program, where they call it nothing."""
        why_not = "" if options.migration_enabled else "migration_enabled is False"
        return cls(
            lock_timeout=options.migration_lock_timeout,
            application=options.application or application,
            why_not="existing_schema_mode is True" if options.existing_schema_mode else why_not,
        )


class Schema:
    """Looks at the schema of a database, changes it, goes back. Blocking; threads may share it."""

    def __init__(self, connect: Connect, models: Models, settings: Settings) -> None:
        self._connect = connect
        self._models = models
        self._settings = settings

    @property
    def application(self) -> str:
        """What the history calls this program: *application*, ``$DATAFLOW_APPLICATION``, or where its models are."""
        return self._settings.application or os.environ.get("DATAFLOW_APPLICATION") or _named(self._models)

    def plan(self) -> Plan:
        """Return what `migrate` would do, with the risk of each step; change nothing."""
        return self._executor().plan(self._models)

    def migrate(self, accept: str = "", progress: Callable[[Block], None] | None = None) -> Applied:
        """Make the schema what the models say, in one transaction, or change nothing.

        accept: the name of the plan, where it has steps that are not automatic.

        Raises: MigrationRefusedError, with the plan; MigrationFailedError; MigrationLockedError;
        DatabaseUnavailableError; ModelError; ConfigurationError where an option forbids it.
        """
        self._allowed()
        return self._executor().migrate(self._models, accept=accept, progress=progress)

    def rollback(self, to: int | None = None, *, dry_run: bool = False, accept: str = "") -> RolledBack:
        """Undo the latest migration, or all after the one with the id *to* (0: all of them).

        dry_run: only tell. accept: the name of the plan, where it loses data.

        Raises: RollbackError; MigrationRefusedError, saying what it would lose; MigrationLockedError.
        """
        self._allowed()
        return self._executor().rollback(to, dry_run=dry_run, accept=accept)

    def history(self) -> list[Migration]:
        """Return what was done to this database, oldest first."""
        return self._executor().history()

    def applications(self) -> list[registry.Entry]:
        """Return which applications use this database, with which models, oldest first."""
        return self._executor().applications()

    def versions(self, model: str | None = None) -> list[registry.Version]:
        """Return every version of every model, or of *model*, that this database has seen."""
        return [each for each in registry.versions(self.applications()) if model in (None, each.model)]

    def way_back(self) -> tuple[Plan, Plan]:
        """Return the plan, and the plan that would undo it."""
        with self._connect() as connection:
            return passing.plan(connection, self._models), passing.way_back(connection, self._models)

    def status(self) -> dict[str, Any]:
        """Return how the database stands to the models, in a few words."""
        plan, done = self.plan(), self.history()
        return {
            "application": self.application,
            "models": len(self._models),
            "digest": wanted.digest(model.spec for model in self._models)[:12],
            "in_order": not plan.changes and not plan.impossible,
            "pending": len(plan.changes),
            "automatic": plan.automatic,
            "migrations": len(done),
            "latest": done[-1].applied_at.isoformat() if done and done[-1].applied_at else None,
        }

    def announce(self) -> None:
        """Log what `migrate` would do (``auto_migrate="plan"``)."""
        plan = self.plan()
        for step in plan.steps:
            said = "; ".join([step.risk.verdict, step.risk.reason, *step.effects])
            log.warning("pending: %s (%s)", planning.described(step.change), said)
        for sentence in plan.impossible:
            log.warning("pending: %s", sentence)

    def check(self) -> None:
        """Compare tables that are somebody else's with the models. Raises: SchemaMismatchError."""
        self._executor().check(self._models)

    def differences(self) -> list[str]:
        """Return, in sentences, where tables are not what the models say in ways that could give wrong answers."""
        with self._connect() as connection:
            return passing.differences(connection, self._models)

    def compare(self) -> None:
        """Log `differences` (``existing_schema_mode``)."""
        for sentence in self.differences():
            log.warning("differs from its model: %s", sentence)

    def discover(self, tables: Iterable[str] | None = None) -> Discovery:
        """Return the tables and views that are there, or those of *tables* alone. Ours are left out."""
        with self._connect() as connection:
            return discovery.discover(connection, tables)

    def source(self, tables: Iterable[str] | None = None, *, name: str = "a database") -> str:
        """Return a Python module with a model for each table that one can stand for; name: of the database."""
        return source.module(classes.classes_of(self.discover(tables)), name)

    def register(self, model: Callable[[type], type], tables: Iterable[str] | None = None) -> list[str]:
        """Declare, by the decorator *model*, a model for each table that one can stand for; return their names."""
        return source.register(classes.classes_of(self.discover(tables)), model)

    def verify(self, *, samples: int = 0) -> list[Finding]:
        """Return what is wrong, or could be better, with the tables of the models and with what is in them.

        samples: how many ids of records without a parent each finding tells.
        """
        differences = self.differences()
        with self._connect() as connection:
            return verify.verify(connection, self._models, differences, samples)

    def _executor(self) -> SyncDDLExecutor:
        return SyncDDLExecutor(self._connect, self._settings.lock_timeout, self.application)

    def _allowed(self) -> None:
        if self._settings.why_not:
            raise ConfigurationError(
                f"the schema of this database is not changed from here: {self._settings.why_not}",
                hint="take that option away",
            )


def _named(models: Models) -> str:
    """Return the package of the first model, or the program where that is the main one."""
    module = next((model.spec.module for model in models), "__main__").partition(".")[0]
    if module != "__main__":
        return module
    program = PurePath(sys.argv[0] if sys.argv else "")
    return (program.parent.name if program.name == "__main__.py" else program.stem) or "python"
