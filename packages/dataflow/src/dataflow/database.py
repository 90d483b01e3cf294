"""DataFlow: the front door. Every method delegates in a line or three."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from msgspec.structs import replace

from dataflow import capabilities, options, told
from dataflow.described import Described
from dataflow.effects import DataPlan, Deeds
from dataflow.errors import TransactionError
from dataflow.executors.ddl import DDLConnection
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from dataflow.express import Express, ExpressSync
from dataflow.features import (
    aio,
    answering,
    auditing,
    checkup,
    configured,
    feeding,
    keyring,
    keys,
    ledger,
    monitoring,
    rekeying,
    related,
    sqlite,
    walls,
)  # fmt: skip
from dataflow.ledger.spelling import MASK
from dataflow.model.declare import declare
from dataflow.model.registry import Model, Models
from dataflow.model.spec import ModelOptions
from dataflow.nodes import ModelNodes
from dataflow.operations import values as ops
from dataflow.perform import kept, perform, planned, tenant_of
from dataflow.rewrites import apply as rewrites
from dataflow.runs import RunStore
from dataflow.schema.connection import Connect
from dataflow.schema.front import Schema, Settings
from dataflow.tenants import ForTenants
from dataflow.transactions.block import Block
from dataflow.transactions.joined import JOINED, Home, find
from dataflow.transactions.late import ablock
from kailash._standard import asyncio
from kailash.capability import Capability
from kailash.context import ANONYMOUS, Context
from kailash.errors import ConfigurationError, KailashError
from kailash.nodes.nodetype import NodeType
from kailash.nodes.registry import NodeRegistry

if TYPE_CHECKING:
    from dataflow.feed import Hear
    from kailash.checkup import Check
    from kailash.events import Event

C = TypeVar("C", bound=type)


class DataFlow(Described, ForTenants):
    """Models, and the operations on them, in one database.

    ``DataFlow("sqlite:///shop.db")``, or ``$DATABASE_URL``, or ``sqlite:///dataflow.db``. Making one does no I/O:
    tables are made before the first operation. The options are in docs/reference/options.md.
    """

    def __init__(self, database_url: str | None = None, **keywords: Any) -> None:
        self.options = options.read(database_url, keywords)
        self._keyring: keyring.Keyring | None = None
        if self.options.encryption_key is not None:
            self._keyring = keyring.read(self.options.encryption_key)
            self.options = replace(self.options, encryption_key=MASK)
        self.url = DatabaseURL.parse(self.options.database_url)
        self.models = Models(self.url.dialect)
        self.models.keyring = self._keyring
        kept = False if self.options.existing_schema_mode else None  # a database that is somebody else's has no table
        self._defaults = ModelOptions(multi_tenant=self.options.multi_tenant, history=kept)
        self.express = Express(self)
        self.express_sync = ExpressSync(self)
        self._home = Home(self._ensure, self.create_tables_async, lambda: self._sync, lambda: self._async)
        self._nodes = ModelNodes(self, self._home)
        self._told = told.Told(self.options, self.models, told=self._told_deeds, audited=self._audited_deeds)
        self._measure()
        self._prepared = -1  # the revision of the models whose tables are known to be there
        self._preparing = threading.Lock()
        NodeRegistry.default().add(self)

    def _measure(self) -> None:
        """Decide how many connections there are, and whether operations are measured."""
        given = self.options
        self._pool = PoolOptions.of(given)
        measured = given.monitoring or given.debug or given.slow_query_threshold is not None
        self._monitor = monitoring.monitor(given) if measured else None

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take settings of an application around it: ``caching``, ``connection_pooling``, ``monitoring``.

        Raises: ConfigurationError for what makes no sense, and once the database is in use.
        """
        changed = configured.changed(self.options, settings)
        if changed != self.options and self.__dict__.keys() & {"_sync", "_async", "_answering"}:
            raise ConfigurationError("the database is in use already", hint="make the application before")
        self.options = changed
        self._measure()

    # -- models ----------------------------------------------------------------------------------------------

    def model(self, cls: C) -> C:
        """Register *cls* as a model. Touches no database; registering it again changes nothing.

        Raises: ModelError.
        """
        spec = declare(cls, self._defaults)
        if self._keyring is None and any(field.encrypted for field in spec.fields):
            raise ConfigurationError(
                f"model {spec.name} has encrypted fields, and there is no key",
                hint=f"pass encryption_key; {keyring.HINT}",
            )
        registered = self.models.register(spec)
        registered.walled = self.options.row_level_security and spec.options.multi_tenant
        self._told.decide(registered)
        return cls

    # -- operations ------------------------------------------------------------------------------------------

    def run(self, operation: ops.Operation, context: Context = ANONYMOUS) -> Any:
        """Run *operation*, blocking; return its outcome (`dataflow.operations.values` says which)."""
        if self._monitor is None:
            return self._run(operation, context)
        with self._monitor.measured(operation):
            return self._run(operation, context)

    async def arun(self, operation: ops.Operation, context: Context = ANONYMOUS) -> Any:
        """Like `run`, under asyncio."""
        if self._monitor is None:
            return await self._arun(operation, context)
        with self._monitor.measured(operation):
            return await self._arun(operation, context)

    def _run(self, operation: ops.Operation, context: Context) -> Any:
        model = self.models[operation.model]
        if self._prepared != self.models.revision:
            self.prepare()
        block = JOINED.get()
        if block is not None and (mine := find(block, self._home)):
            return mine.run(self._plan(operation, model, context, joins=True))
        if kept(operation, model, context):
            asked, whose, plan = self._asked(operation, model, context)
            return model.cache.read(asked, whose, lambda: self._sync.run(plan()))
        return self._sync.run(self._plan(operation, model, context))

    async def _arun(self, operation: ops.Operation, context: Context) -> Any:
        model = self.models[operation.model]
        if self._prepared != self.models.revision:
            await self.create_tables_async()
        block = JOINED.get()
        if block is not None and (mine := find(block, self._home)):
            return await mine.arun(self._plan(operation, model, context, joins=True))
        if kept(operation, model, context):
            asked, whose, plan = self._asked(operation, model, context)
            return await model.cache.aread(asked, whose, lambda: self._async.run(plan()))
        return await self._async.run(self._plan(operation, model, context))

    def _plan(self, operation: ops.Operation, model: Model, context: Context, *, joins: bool = False) -> DataPlan[Any]:
        dialect, now = self.url.dialect, dt.datetime.now(dt.UTC)
        if isinstance(operation, ops.Read | ops.List) and operation.include:
            return related.plan(operation, self.models, lambda each, of: perform(each, of, context, dialect, now))
        return perform(operation, model, context, dialect, now, joins=joins)

    def _asked(
        self, operation: ops.Operation, model: Model, context: Context
    ) -> tuple[ops.Operation, str | None, Callable[[], DataPlan[Any]]]:
        """Return a read as policy rewrites it and whose it is, by which its answer is kept, and what makes its plan."""
        dialect, now = self.url.dialect, dt.datetime.now(dt.UTC)
        rewritten = rewrites.apply(operation, model, context, now)
        return rewritten, tenant_of(model, context), lambda: planned(rewritten, model, context, dialect, now)

    # -- transactions ----------------------------------------------------------------------------------------

    def transaction(self, isolation_level: str | None = None) -> ablock.AsyncBlock:
        """Return a block for ``async with``, which the operations of its body join: all are kept, or none.

        isolation_level: "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"; default: the database's own. A block
        inside a block is a savepoint. Raises: ConfigurationError.
        """
        return ablock.AsyncBlock(self._home, isolation_level)

    def transaction_sync(self, isolation_level: str | None = None) -> Block:
        """Like `transaction`, for ``with``."""
        return Block(self._home, isolation_level)

    # -- changes ---------------------------------------------------------------------------------------------

    @overload
    def on_model_change(
        self, model: str, *, events: Collection[str] = (), name: str | None = None
    ) -> Callable[[Hear], Hear]: ...

    @overload
    def on_model_change(
        self, model: str, hear: Hear, *, events: Collection[str] = (), name: str | None = None
    ) -> Callable[[], None]: ...

    def on_model_change(
        self, model: str, hear: Hear | None = None, *, events: Collection[str] = (), name: str | None = None
    ) -> Callable[[], None] | Callable[[Hear], Hear]:
        """Call *hear* with each change of *model* that is committed from now on; return the function that ends this.

        Without *hear* it is a decorator. events: "create", "update", "delete", "<field>_change"; all if none. name:
        under which it goes on after the last change that it heard, whenever it is called again. It is called on a
        thread of the feed's, after the commit. Raises: UnknownModelError, ConfigurationError.
        """
        if hear is not None:
            return self.feed.listening(hear, model, events, name)

        def decorate(function: Hear) -> Hear:
            self.feed.listening(function, model, events, name)
            return function

        return decorate

    def on_workflow_event(self, hear: Callable[[str, Event], object], name: str = "workflows") -> Callable[[], None]:
        """Call *hear* with each of the models' `workflow_events`, and the change; return the function that ends this.

        The event is named "order_status_change" for a "status_change" of Order. Under *name* it goes on where it
        stood. It begins once there is a model with such events, and its table; models may come later.
        """
        return self.feed.workflow_events(hear, name)

    @cached_property
    def feed(self) -> feeding.Feed:
        """The committed changes of the models that somebody wants to hear of, in the order of commits."""
        kept, method = self.options.feed_retention or feeding.KEPT, self.options.change_detection_method
        return feeding.Feed(self._home, self.models, self.url.dialect, self._told.want, kept, method)

    @cached_property
    def audit(self) -> auditing.Audit:
        """The audit log: who wrote what to the models that are audited."""
        return auditing.Audit(
            self._home,
            self.feed,
            self.url.dialect,
            [each.chain for each in self._keyring.keys] if self._keyring else [],
        )

    def rekey(self, progress: Callable[[rekeying.Step], object] = lambda step: None) -> list[rekeying.Step]:
        """Seal all encrypted values with the first key of ``encryption_key``, blocking; return what was done.

        progress: called after each batch. What was interrupted is gone on with by another call.
        """
        if self._keyring is None:
            raise ConfigurationError("there is no key", hint="pass encryption_key, the new key first")
        self.prepare()
        specs = [model.spec for model in self.models.stored]
        return rekeying.rekey(self._ddl, specs, self._keyring, self.options.migration_lock_timeout, progress)

    @cached_property
    def _answering(self) -> answering.Answering:
        return answering.Answering(self, self.options, self._keyring, lambda: self._sync)

    @property
    def cache(self) -> Any:
        """The answers that are kept: ``hits``, ``misses``, ``clear()``."""
        return self._answering.cache

    def catch_up(self) -> bool:
        """Return once kept answers are known to be old that others wrote to before; whether that could be learnt."""
        return "_answering" not in self.__dict__ or self._answering.catch_up()

    def _told_deeds(self) -> Deeds:
        return (self.feed.wake,) if "feed" in self.__dict__ and self.feed.heard else ()

    def _audited_deeds(self) -> Deeds:
        return (self.audit.wake, *self._told_deeds())

    # -- what channels and workflows see ---------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """A number that grows whenever a model is added or replaced."""
        return self.models.revision

    def capabilities(self) -> Iterable[Capability]:
        """Return the capabilities of every model."""
        return [each for model in self.models for each in capabilities.of_model(model, self)]

    @cached_property
    def schema(self) -> Schema:
        """The schema: ``plan()``, ``migrate()``, ``rollback()``, ``history()``, and more."""
        settings = Settings.read(self.options, self.url.options.get("application_name", ""))
        return Schema(self._ddl, self.models, settings)

    def register_schema_as_models(self, tables: Iterable[str] | None = None) -> list[str]:
        """Declare a model for each table (or for *tables* alone) that one can stand for; return their names.

        What a model cannot say is left out; ``dataflow discover`` tells what, and writes classes to keep.
        """
        return self.schema.register(self.model, tables)

    def connection(self) -> DDLConnection:
        """Return a connection of the blocking face, outside any transaction, for ``with``: for tools and tests."""
        return self._sync.ddl()

    @property
    def name(self) -> str:
        """What ``db_instance=`` calls this database: the last part of its URL, without its ending."""
        return self.url.database or PurePath(self.url.path).stem

    def node_type(self, name: str) -> NodeType | None:
        """Return the node type of that name ("ProductCreateNode"), or None."""
        return self._nodes.find(name)

    def node_names(self) -> Iterable[str]:
        """Return the names of the node types of all models."""
        return self._nodes.names()

    def get_available_nodes(self) -> list[str]:
        """Return the names of the node types of all models, sorted."""
        return sorted(self.node_names())

    def run_store(self) -> RunStore:
        """Return the journals of durable runs in this database: ``LocalRuntime(store=db.run_store())``."""
        return self._runs

    # -- life ------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the tables that are missing, once for each set of models, blocking; thread-safe.

        Raises: SchemaMismatchError, MigrationLockedError, DatabaseUnavailableError.
        """
        self._ensure()
        if "feed" in self.__dict__:
            self.feed.begin()

    def _ensure(self) -> None:
        with self._preparing:
            if self._prepared != self.models.revision:
                self._prepare()

    def _prepare(self) -> None:
        revision = self.models.revision
        if (block := find(JOINED.get(), self._home)) and block.started:
            raise TransactionError("a model was declared inside a transaction", hint="declare it before")
        make = False
        if self.options.auto_migrate and self.options.migration_enabled and not self.options.existing_schema_mode:
            make = self.options.auto_migrate is True
            (self.schema.migrate if make else self.schema.announce)()
        if self.options.existing_schema_mode and len(self.models):
            self.schema.compare()
        sealed = [model.spec for model in self.models if any(field.encrypted for field in model.spec.fields)]
        if sealed and self._keyring is not None:
            keys.install(self._ddl, self.options.migration_lock_timeout, sealed, self._keyring, make=make)
        if tellers := self._told.arranged():
            method = self.options.change_detection_method
            ledger.install(self._ddl, self.options.migration_lock_timeout, tellers, make=make, method=method)
        said = self.options.cache_strategies or any(model.spec.options.cache for model in self.models)
        if self.options.cache_enabled or said:
            self._answering.prepare(self.models, make=make)
        if walled := [model for model in self.models if model.walled]:
            specs = [each.spec for model in walled for each in (model, model.past) if each is not None]
            walls.install(self._sync.ddl, self.options.migration_lock_timeout, specs, make=make)
        self._prepared = revision

    create_tables = initialize = prepare

    async def create_tables_async(self) -> None:
        """Like `prepare`, in a thread."""
        if self._prepared == self.models.revision:
            return
        await asyncio.to_thread(self.prepare)

    def metrics(self) -> str:
        """Return what operations, connections and kept answers came to, in Prometheus' text format.

        Raises: ConfigurationError without ``monitoring=True``.
        """
        if self._monitor is None:
            raise ConfigurationError("nothing is measured", hint="pass monitoring=True")
        return self._monitor.text(self._gauges())

    def _gauges(self) -> Iterable[monitoring.Gauge]:
        executors = [self.__dict__[name] for name in ("_sync", "_async") if name in self.__dict__]
        return monitoring.gauges(
            [each.connections for each in executors], self._answering.cache if "_answering" in self.__dict__ else None
        )

    def health_check(self) -> dict[str, Any]:
        """Return ``{"status": "healthy"}``, or "unhealthy" with the code and the sentence of what is wrong."""
        try:
            self._sync.ping()
        except KailashError as error:
            return {"status": "unhealthy", "database": str(self.url), "code": error.code, "error": str(error)}
        return {"status": "healthy", "database": str(self.url), "models": len(self.models)}

    def checkup(self) -> Sequence[Check]:
        """Return how the database and its schema stand, changing nothing: what ``dataflow doctor`` shows."""
        return checkup.checkup(self)

    def configuration(self) -> Mapping[str, Any]:
        """Return the options, secrets masked."""
        return checkup.configuration(self)

    def close(self) -> None:
        """Close the connections. Operations after it open new ones."""
        NodeRegistry.default().withdraw(self)
        for name in ("feed", "audit", "_answering"):
            if name in self.__dict__:
                getattr(self, name).close()
        self._runs.close()
        self._sync.close()
        if "_async" in self.__dict__:
            self._async.close()

    async def close_async(self) -> None:
        """Like `close`, awaiting the end of the connections of this event loop."""
        NodeRegistry.default().withdraw(self)
        for name in ("feed", "audit"):
            if name in self.__dict__:
                getattr(self, name).close()
        if "_answering" in self.__dict__:
            await self._answering.aclose()
        self._runs.close()
        self._sync.close()
        if "_async" in self.__dict__:
            await self._async.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close_async()

    def __repr__(self) -> str:
        return f"DataFlow({str(self.url)!r}, {len(self.models)} models)"

    @cached_property
    def _sqlite(self) -> sqlite.SqliteDatabase | None:
        """What both faces share where the database is SQLite."""
        return sqlite.SqliteDatabase(self.url, self._pool) if self.url.dialect == "sqlite" else None

    @cached_property
    def _runs(self) -> RunStore:
        return RunStore(self._home, self.url.dialect, self._keyring)

    @cached_property
    def _ddl(self) -> Connect:
        """The connections of the schema's work."""
        return walls.beyond(self._sync.ddl) if self.options.row_level_security else self._sync.ddl

    @cached_property
    def _sync(self) -> SyncExecutor:
        return SyncExecutor(self.url, self._pool, self._sqlite)

    @cached_property
    def _async(self) -> aio.AsyncExecutor:
        return aio.AsyncExecutor(self.url, self._pool, self._sqlite)
