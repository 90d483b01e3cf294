"""The feed: committed changes in the order of commits, and those who listen to them. `db.feed`.

Rule 1: nothing is lost: a listener that names itself goes on after the last change that it has heard to the end.
Rule 2: a listener runs on the feed's own thread, one change at a time, after the commit; it never slows a writer.
Rule 3: what this process commits is heard at once, what others commit within `POLL` seconds.
Rule 4: what others write, where that is looked for, is heard after the next look, as long as somebody hears.
Rule 5: changes that are older than they are to be kept go by themselves, as long as somebody hears.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from dataflow.effects import Row
from dataflow.ledger import order
from dataflow.ledger.consuming import Consumer, Held
from dataflow.ledger.spelling import Reader, plain
from dataflow.looks import Looks
from dataflow.model import naming
from dataflow.model.registry import Models
from dataflow.operations.dialect import Dialect
from dataflow.options import POLLING
from dataflow.schema.lock import begin_locked
from dataflow.transactions.joined import Home
from kailash._undo import Undoing
from kailash.errors import ConfigurationError, KailashError, did_you_mean
from kailash.events import Event

POLL: Final = 0.25  # seconds; arbitrary: a reader of another process's changes waits no longer
BATCH: Final = 500  # changes that are read at once
KEPT: Final = (
    7 * 24 * 3600.0
)  # seconds that a change is kept which nobody audits; arbitrary: a reader may be down so long

TIDY: Final = 3600.0  # seconds between two times that older changes are forgotten; arbitrary
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")  # of a consumer; it is part of the name of a lock
CONSUMERS: Final = "dataflow_consumers"
TIMEOUT: Final = 30.0  # seconds that another process's migration, or write, is waited for

log = logging.getLogger("dataflow.feed")

Hear: TypeAlias = Callable[[Event], object]


class Wishes(Protocol):
    """What the feed wants of the database."""

    def __call__(self, model: str) -> None:
        """Have the changes of *model* told. Raises: UnknownModelError."""


class Listener(msgspec.Struct):
    """Somebody who hears changes."""

    hear: Hear
    models: frozenset[str]  # empty: all
    events: frozenset[str]  # empty: all

    def wants(self, event: Event) -> bool:
        """Whether this change is one that it asked for."""
        if self.models and event.model not in self.models:
            return False
        return not self.events or event.event in self.events or not self.events.isdisjoint(field_changes(event))


class Feed:
    """The feed of one database."""

    def __init__(
        self,
        home: Home,
        models: Models,
        dialect: Dialect,
        tell: Wishes,
        kept: float = KEPT,
        method: str | None = None,
    ) -> None:
        """Do nothing yet. kept: seconds that changes are kept. method: how changes are detected; `POLLING` looks."""
        self._home, self._models, self._dialect, self._tell = home, models, dialect, tell
        self._kept = kept
        self._looks = Looks(home, models, dialect, asked=method == POLLING)
        self._readers: dict[int, Reader] = {}
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._at = 0
        self._ended = False
        self._consumers: tuple[Consumer, ...] = ()
        self._waiting: tuple[tuple[Callable[[str, Event], object], str], ...] = ()
        self._begun: dict[str, Callable[[], None]] = {}
        self._beginning = threading.Lock()
        self._tidied = 0.0

    # -- reading ---------------------------------------------------------------------------------------------

    def enable(self, *models: str) -> None:
        """Have the changes of these models told, from the next operation on; all models where none is named."""
        for model in models or self._models.names:
            self._tell(model)

    def last(self) -> int:
        """Return the number of the latest change that is committed; 0 before the first."""
        self._home.prepare()
        return self._home.sync().run(order.last(self._dialect))

    async def alast(self) -> int:
        """Like `last`."""
        await self._home.aprepare()
        return await self._home.aio().run(order.last(self._dialect))

    def read(
        self, since: int = 0, limit: int = BATCH, *, model: str | None = None, tenant: str | None = None
    ) -> list[Event]:
        """Return at most *limit* changes after the number *since*, in the order of commits.

        Raises: FeedPositionError when changes after *since* are not kept any more.
        """
        self._home.prepare()
        return self._events(self._home.sync().run(self._reading(since, limit, model, tenant)))

    async def aread(
        self, since: int = 0, limit: int = BATCH, *, model: str | None = None, tenant: str | None = None
    ) -> list[Event]:
        """Like `read`."""
        await self._home.aprepare()
        return self._events(await self._home.aio().run(self._reading(since, limit, model, tenant)))

    def look(self) -> int:
        """Tell of what others wrote since the last look; return how many changes that are.

        It reads the tables of all models. Raises: ConfigurationError without ``change_detection_method="polling"``.
        """
        return self._looks.look()

    async def alook(self) -> int:
        """Like `look`."""
        return await self._looks.alook()

    def remember(self) -> None:
        """Have what is told count as seen, where others are looked for: it may be forgotten then."""
        self._looks.remember()

    def purge(self, older_than: float | None = None) -> int:
        """Forget changes that nobody audits and that are older than *older_than* seconds; return how many."""
        self._home.prepare()
        self.remember()
        before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self._kept if older_than is None else older_than)
        return self._home.sync().run(order.purge_changes(self._dialect, before))

    def event(self, row: Row) -> Event:
        """Return a row of the ledger as an event, its records as they were declared."""
        reader = self._reader(row["model"])
        return Event(
            model=row["model"],
            event=row["event"],
            id=row["record"] if reader is None else reader.read_id(row["record"]),
            before=_plain(row["before"]) if reader is None else reader.record(row["before"]),
            after=_plain(row["after"]) if reader is None else reader.record(row["after"]),
            tenant=row["tenant"],
            sequence=row["sequence"],
        )

    def _reading(self, since: int, limit: int, model: str | None, tenant: str | None) -> Any:
        filters = {"model": model, "tenant": tenant}
        return order.read(
            self._dialect, since, limit, {name: each for name, each in filters.items() if each is not None}
        )

    def _events(self, rows: Sequence[Row]) -> list[Event]:
        return [self.event(row) for row in rows]

    def _reader(self, model: str) -> Reader | None:
        """Return what reads the records of *model*; None for a model that another program has."""
        if model not in self._models:
            return None
        spec = self._models[model].spec
        found = self._readers.get(id(spec))
        if found is None or found.spec is not spec:
            found = self._readers[id(spec)] = Reader(spec)
        return found

    # -- listening -------------------------------------------------------------------------------------------

    def listen(self, hear: Hear, models: Collection[str] = (), events: Collection[str] = ()) -> Callable[[], None]:
        """Call *hear* with every change that is committed from now on; return the function that ends this.

        events: "create", "update", "delete", and "<field>_change" of an update that changes the field; all if none.
        Raises: ConfigurationError for an event that none of the models has.
        """
        self._check(models, events)
        listener = Listener(hear, frozenset(models), frozenset(events))
        self.enable(*models)
        with self._lock:
            if self._thread is None:
                self._at = self.last()
                self._ended = False
                self._thread = threading.Thread(target=self._work, name="dataflow-feed", daemon=True)
                self._thread.start()
            self._listeners = (*self._listeners, listener)
        self._looks.begin()

        def end() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return end

    def consume(
        self, name: str, hear: Hear, wants: Callable[[Event], bool], since: int | None = None
    ) -> Callable[[], None]:
        """Call *hear* with every change that *wants* says, after the last that was heard under *name*; return the end.

        since: the number after which a name begins that is new; None: the latest. The rules are those of
        `dataflow.ledger.consuming`. Raises: ConfigurationError for a name that is taken in this process, or is none.
        """
        if not NAME.fullmatch(name):
            raise ConfigurationError(f"a consumer cannot be called {name!r}", hint="letters, digits, _, - and .")
        place = Standing(self._home, name, self.last if since is None else lambda: since)
        place.prepare()
        consumer = Consumer(name, place, self._changes, wants, hear)
        with self._lock:
            if any(each.name == name for each in self._consumers):
                raise ConfigurationError(f"a consumer {name!r} listens already", hint="give each a name of its own")
            self._consumers = (*self._consumers, consumer)
        consumer.begin()
        self._looks.begin()

        def end() -> None:
            with self._lock:
                self._consumers = tuple(each for each in self._consumers if each is not consumer)
            consumer.end()

        return end

    def move(self, name: str, since: int) -> None:
        """Have the consumer *name* go on after the change of number *since*; it takes effect at its next start."""
        place = Standing(self._home, name, lambda: since)
        place.prepare()
        place.advance(since)

    def listening(self, hear: Hear, model: str, events: Collection[str], name: str | None = None) -> Callable[[], None]:
        """Call *hear* with the changes of *model*: from now on, or under *name*. Raises: as `listen` and `consume`."""
        if name is None:
            return self.listen(hear, [model], events)
        self._check([model], events)
        self.enable(model)
        return self.consume(name, hear, Listener(hear, frozenset([model]), frozenset(events)).wants)

    def workflow_events(self, hear: Callable[[str, Event], object], name: str) -> Callable[[], None]:
        """Call *hear* with each of the models' `workflow_events` and the change, as `consume` does, from `begin` on."""
        waiting = (hear, name)
        self._waiting = (*self._waiting, waiting)

        def end() -> None:
            with self._lock:
                self._waiting = tuple(each for each in self._waiting if each is not waiting)
                begun = self._begun.pop(name, None)
            if begun is not None:
                begun()

        return end

    def begin(self) -> None:
        """Begin what waits for a model with `workflow_events`, once there is one; the tables are there."""
        if not any(model.spec.options.workflow_events for model in self._models):
            return
        with self._beginning:  # who comes second finds it begun
            waiting, self._waiting = self._waiting, ()
            for hear, name in waiting:
                with Undoing(lambda: self._wait_on(waiting)):
                    self._begun[name] = self.consume(name, self._teller(hear), lambda event: bool(self._named(event)))

    def _wait_on(self, waiting: tuple[tuple[Callable[[str, Event], object], str], ...]) -> None:
        with self._lock:
            self._waiting = (*[each for each in waiting if each[1] not in self._begun], *self._waiting)

    def _teller(self, hear: Callable[[str, Event], object]) -> Hear:
        def tell(event: Event) -> None:
            for each in self._named(event):
                hear(f"{naming.snake(event.model)}_{each}", event)

        return tell

    def _named(self, event: Event) -> list[str]:
        if event.model not in self._models:
            return []
        wanted = self._models[event.model].spec.options.workflow_events
        return [each for each in (event.event, *field_changes(event)) if each in wanted] if wanted else []

    @property
    def heard(self) -> bool:
        """Whether somebody listens."""
        return self._thread is not None or bool(self._consumers)

    def wake(self) -> None:
        """Something was committed."""
        if self._thread is not None:
            self._news.set()
        for consumer in self._consumers:
            consumer.wake()

    def close(self) -> None:
        """Hand out what is committed, and end the threads. Idempotent."""
        self._looks.end()
        with self._lock:
            thread, self._thread = self._thread, None
            consumers, self._consumers = self._consumers, ()
        if thread is not None and thread is not threading.current_thread():
            self._ended = True
            self._news.set()
            thread.join()
        for consumer in consumers:
            consumer.end()

    def _check(self, models: Collection[str], events: Collection[str]) -> None:
        fields = {name for model in models or self._models.names for name in self._models[model].spec.by_name}
        known = ("create", "update", "delete", *[f"{name}_change" for name in fields])
        if unknown := next((event for event in events if event not in known), None):
            raise ConfigurationError(f"there is no event {unknown!r}", hint=did_you_mean(unknown, known))

    def _changes(self, since: int, limit: int) -> list[Event]:
        self._tidy()
        return self.read(since, limit)

    def _tidy(self) -> None:
        """Forget what is older than it is to be kept, now and then."""
        now = time.monotonic()
        if now > self._tidied:
            self._tidied = now + TIDY
            self.purge()

    def _work(self) -> None:
        while True:
            ended = self._ended
            self._news.clear()
            try:
                self._hand_out()
            except KailashError as fault:  # the database is away: what was committed is heard when it is back
                log.warning("the feed cannot be read (%s); trying again", fault.code)
            if ended:
                return
            self._news.wait(POLL)

    def _hand_out(self) -> None:
        while self._listeners and (events := self._changes(self._at, BATCH)):
            for event in events:
                for listener in self._listeners:
                    if listener.wants(event):
                        _hear(listener, event)
                self._at = event.sequence


class Standing:
    """Where a consumer stands: `dataflow.ledger.consuming.Place`, in a table of the database."""

    def __init__(self, home: Home, name: str, beginning: Callable[[], int]) -> None:
        """beginning: where a name begins that is new."""
        self._home, self._name, self._beginning = home, name, beginning

    def prepare(self) -> None:
        """Make the table where it is missing, and the place where the name begins."""
        self._home.prepare()
        with self._home.sync().ddl() as connection:
            if not connection.ask(_THERE[connection.dialect], (CONSUMERS,)):
                begin_locked(connection, TIMEOUT)
                columns = "name VARCHAR(100) PRIMARY KEY, sequence BIGINT NOT NULL"
                connection.ask(f"CREATE TABLE IF NOT EXISTS {CONSUMERS} ({columns})")
                connection.commit()
            known = connection.ask(f"SELECT 1 FROM {CONSUMERS} WHERE name = ?", (self._name,))
        if not known:
            self._write(self._beginning(), "NOTHING")

    def take(self) -> Held | None:
        return self._home.sync().free(f"consumer-{self._name}")

    def position(self) -> int:
        with self._home.sync().ddl() as connection:
            found = connection.ask(f"SELECT sequence FROM {CONSUMERS} WHERE name = ?", (self._name,))
        return int(found[0][0]) if found else self._beginning()

    def advance(self, sequence: int) -> None:
        self._write(sequence, "UPDATE SET sequence = excluded.sequence")

    def _write(self, sequence: int, otherwise: str) -> None:
        statement = f"INSERT INTO {CONSUMERS} (name, sequence) VALUES (?, ?) ON CONFLICT (name) DO {otherwise}"
        with self._home.sync().ddl() as connection:
            connection.begin(TIMEOUT)
            connection.ask(statement, (self._name, sequence))
            connection.commit()


_THERE: Final = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
    "postgresql": "SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = ?",
}


def _hear(listener: Listener, event: Event) -> None:
    try:
        listener.hear(event)
    except Exception:  # of the user's, who may raise anything
        log.exception("a listener to changes of %s failed; the others still hear", event.model)


def _plain(text: str | None) -> Any:
    return None if text is None else plain(text)


def field_changes(event: Event) -> Iterator[str]:
    """Yield "<field>_change" for each field that an update changed."""
    before, after = event.before or {}, event.after or {}
    if event.event == "update":
        yield from (f"{name}_change" for name, value in after.items() if before.get(name) != value)
