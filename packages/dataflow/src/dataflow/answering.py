"""The kept answers of one database: where they are, for how long, and who says that they are old."""

from __future__ import annotations

import hashlib
import hmac
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dataflow.cache import caching, strategies
from dataflow.cache.base import always
from dataflow.cache.copying import copier
from dataflow.cache.memory import Generation, MemoryAnswers, MemoryCache
from dataflow.cache.shared import Plain, Renewal, Seal, SharedAnswers, SharedCache
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from dataflow.executors.watching import Watch
from dataflow.model import naming
from dataflow.model.keyring import Keyring, UnsealedError
from dataflow.model.registry import Model
from dataflow.model.spec import ModelSpec
from dataflow.options import Options
from dataflow.schema import notices
from kailash._lazy import Late
from kailash.capability import Capability
from kailash.context import ANONYMOUS
from kailash.errors import ConfigurationError, KailashError

if TYPE_CHECKING:
    from dataflow.cache import redis
else:
    redis = Late("dataflow.cache.redis")

TTL: Final = 300.0  # seconds; the seeds' default
NAMESPACE: Final = "namespace"  # of cache_url: what the database is called on the server, where its own name is not it

log = logging.getLogger("dataflow.cache")


class Source(Protocol):
    """The database, as those see it who ask."""

    url: DatabaseURL

    def capabilities(self) -> Iterable[Capability]:
        """Return what can be asked for."""


class Answering:
    """What keeps the answers of one database."""

    def __init__(
        self, source: Source, options: Options, keyring: Keyring | None, sync: Callable[[], SyncExecutor]
    ) -> None:
        """Do nothing yet. Raises: NotAvailableError without ``redis``, ConfigurationError, where that is asked for."""
        url = source.url
        self._source, self._options, self._url, self._sync = source, options, url, sync
        self._preloading: threading.Thread | None = None
        self._keyring = keyring
        self._tables: dict[str, list[Model]] = {}
        self._models: tuple[Model, ...] = ()
        self._watch: Watch | None = None
        self._warned: set[str] = set()
        self._memory: MemoryCache | None = None
        self._shared: SharedCache | None = None
        self._server: Any = None
        self._namespace = ""
        self._aggregates = Generation()
        if options.cache_url and not url.memory:  # which nobody else can reach
            plain, self._namespace = _namespace(options.cache_url)
            self._server = redis.Server(plain)
        else:
            self._memory = MemoryCache()

    @property
    def cache(self) -> MemoryCache | SharedCache:
        """Where the answers are."""
        if self._memory is not None:
            return self._memory
        if self._shared is None:
            place = self._namespace or self._place()
            seal: Seal = Plain() if self._keyring is None else Sealed(self._keyring)
            self._shared = SharedCache(self._server, place, seal)
        return self._shared

    def prepare(self, models: Iterable[Model], *, make: bool) -> None:
        """Decide whose answers are kept, and be told when they get old. make: whether the database may be changed.

        Raises: ConfigurationError.
        """
        self._models = tuple(models)
        specs = [model.spec for model in self._models]
        given, ttl = self._options.cache_strategies, self._options.cache_ttl or TTL
        every = self._options.cache_enabled
        times: Mapping[str, Mapping[type, float]] = {
            spec.name: strategies.times(spec, given, ttl, every=every) for spec in specs
        }
        events = strategies.events(self._options.invalidation_events, specs)
        self._say_unknown(specs)
        if self._memory is not None and self._url.dialect == "postgresql":
            times = self._told(specs, times, make=make)
        caching.arrange(self._models, self._make(events), times, events, self._old_aggregates)
        self._tables = {}
        for model in self._models:
            self._tables.setdefault(model.spec.table, []).append(model)
        if self._watch is not None and any(times.values()):
            self._watch.begin()
        if self._options.preload_common_queries and self._preloading is None:
            self._preloading = threading.Thread(target=self._preload, name="dataflow-preload", daemon=True)
            self._preloading.start()

    def catch_up(self) -> bool:
        """Return once all is known to be old that was written before, by whomever; whether that could be learnt.

        What is asked for before anybody asks is there too.
        """
        if self._preloading is not None:
            self._preloading.join()
        return self._watch is None or self._watch.catch_up()

    def close(self) -> None:
        """End what listens, and the connections to the server. It begins again with the next answer."""
        if self._watch is not None:
            self._watch.close()
        if self._shared is not None:
            self._shared.close()
            self._shared.reopen()

    async def aclose(self) -> None:
        """Like `close`, and close the connections of this event loop."""
        if self._watch is not None:
            self._watch.close()
        if self._shared is not None:
            await self._shared.aclose()
            self._shared.reopen()

    def _preload(self) -> None:
        """Ask for the first page and the number of records of each cached model that has no tenants."""
        common = {model.spec.resource for model in self._models if model.cache and not model.spec.options.multi_tenant}
        for capability in self._source.capabilities():
            if capability.resource in common and capability.action in ("list", "count"):
                try:
                    capability.direct({}, ANONYMOUS)
                except KailashError as fault:
                    log.warning("%s could not be asked for beforehand (%s)", capability.name, fault.code)

    # -- what is kept where ----------------------------------------------------------------------------------

    def _make(self, events: Mapping[Any, frozenset[str]]) -> caching.Make:
        named = any(strategies.ANALYTICS in old for old in events.values())
        if self._memory is None:
            shared = self.cache
            assert isinstance(shared, SharedCache)
            analytics = shared.token(strategies.ANALYTICS) if named else None
            return lambda spec, times: SharedAnswers(shared, spec, times, analytics)
        memory, aggregates = self._memory, self._aggregates if named else None
        return lambda spec, times: MemoryAnswers(memory, copier(spec), times, self._fresh(), aggregates)

    def _old_aggregates(self) -> Any:
        if isinstance(shared := self.cache, SharedCache):
            return Renewal(shared, [shared.token(strategies.ANALYTICS)])
        return self._aggregates.bump

    def _say_unknown(self, specs: Iterable[ModelSpec]) -> None:
        """Say which names are those of no model; it may come later."""
        for name in strategies.unknown(self._options.cache_strategies, self._options.invalidation_events, specs):
            if name not in self._warned:
                self._warned.add(name)
                log.warning("cache_strategies or invalidation_events name %s, which is no model yet", name)

    # -- what others write -----------------------------------------------------------------------------------

    def _fresh(self) -> Callable[[], bool]:
        if self._url.memory:
            return always
        if self._watch is None:
            self._watch = self._sync().watch(self._changed)
        return self._watch.fresh

    def _told(
        self, specs: Iterable[ModelSpec], times: Mapping[str, Mapping[type, float]], *, make: bool
    ) -> dict[str, Mapping[type, float]]:
        """Return *times*, without those of models whose tables do not tell that they were written to."""
        kept = [spec for spec in specs if times[spec.name]]
        telling: frozenset[str] = frozenset()
        if kept:
            telling = notices.install(self._sync().ddl, self._options.migration_lock_timeout, kept, make=make)
        for spec in kept:
            if spec.table not in telling and spec.name not in self._warned:
                self._warned.add(spec.name)
                log.warning(
                    "answers of %s are not kept: its table does not tell when it is written to; let auto_migrate=True"
                    " make it, as its owner, or keep answers in Redis (cache_url)",
                    spec.name,
                )
        return {spec.name: times[spec.name] if spec.table in telling else {} for spec in specs}

    def _changed(self, what: str) -> None:
        """Make old what a write of others changed: a table, or one and a tenant; all where it is not known."""
        table, _, tenant = what.partition(naming.WHOSE)
        for model in self._tables.get(table, ()) if table else self._models:
            if model.cache is not None:
                model.cache.deed(tenant or None)()

    # -- names on a server -----------------------------------------------------------------------------------

    def _place(self) -> str:
        """Return what tells this database from all others, whatever the URL by which it is reached."""
        if self._url.dialect == "postgresql":
            with self._sync().ddl() as connection:
                found = connection.ask(
                    "SELECT (SELECT system_identifier FROM pg_control_system()), d.oid, current_schema()"
                    " FROM pg_database d WHERE d.datname = current_database()"
                )
            said: tuple[Any, ...] = found[0]
        else:
            path = Path(self._url.path).resolve()
            said = (socket.gethostname(), str(path), path.stat().st_ino if path.exists() else "")
        return hashlib.blake2b(repr(said).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class Sealed:
    """A `dataflow.cache.shared.Seal` by the keys of the database."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def name(self, spelling: bytes) -> bytes:
        return hmac.digest(self._keyring.first.chain, b"cache" + spelling, "sha256").hex().encode()

    def seal(self, answer: bytes, name: bytes) -> bytes:
        return self._keyring.first.seal(answer, name, searched=False)

    def open(self, sealed: bytes, name: bytes) -> bytes | None:
        try:
            return self._keyring.open(sealed, name)
        except UnsealedError:
            return None


def _namespace(url: str) -> tuple[str, str]:
    """Return *url* without its option ``namespace``, and that. Raises: ConfigurationError."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ConfigurationError("cache_url is no URL of a Redis server", hint="redis://:password@host:6379/0")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    namespace = given.pop(NAMESPACE, "")
    return urlunsplit(parts._replace(query=urlencode(given))), namespace
