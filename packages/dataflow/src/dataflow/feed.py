"""The feed: committed changes in the order of commits, and those who listen to them. `db.feed`.

Rule 1: nothing is lost: a listener that names itself goes on after the last change that it has heard to the end.
Rule 2: a listener runs on the feed's own thread, one change at a time, after the commit; it never slows a writer.
Rule 3: what this process commits is heard at once, what others commit within `POLL` seconds.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from dataflow.effects import Row
from dataflow.ledger import order
from dataflow.ledger.spelling import Reader, plain
from dataflow.model.registry import Models
from dataflow.operations.dialect import Dialect
from dataflow.transactions.joined import Home
from kailash.errors import ConfigurationError, KailashError, did_you_mean
from kailash.events import Event

POLL: Final = 0.25  # seconds; arbitrary: a reader of another process's changes waits no longer
BATCH: Final = 500  # changes that are read at once
KEPT: Final = (
    7 * 24 * 3600.0
)  # seconds that a change is kept which nobody audits; arbitrary: a reader may be down so long

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

    def __init__(self, home: Home, models: Models, dialect: Dialect, tell: Wishes, kept: float = KEPT) -> None:
        """Do nothing yet. kept: seconds that changes are kept."""
        self._home, self._models, self._dialect, self._tell = home, models, dialect, tell
        self._kept = kept
        self._readers: dict[int, Reader] = {}
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._at = 0
        self._ended = False

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

    def purge(self, older_than: float | None = None) -> int:
        """Forget changes that nobody audits and that are older than *older_than* seconds; return how many."""
        self._home.prepare()
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
        fields = {name for model in models or self._models.names for name in self._models[model].spec.by_name}
        known = ("create", "update", "delete", *[f"{name}_change" for name in fields])
        if unknown := next((event for event in events if event not in known), None):
            raise ConfigurationError(f"there is no event {unknown!r}", hint=did_you_mean(unknown, known))
        listener = Listener(hear, frozenset(models), frozenset(events))
        self.enable(*models)
        with self._lock:
            if self._thread is None:
                self._at = self.last()
                self._ended = False
                self._thread = threading.Thread(target=self._work, name="dataflow-feed", daemon=True)
                self._thread.start()
            self._listeners = (*self._listeners, listener)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return end

    def wake(self) -> None:
        """Something was committed."""
        if self._thread is not None:
            self._news.set()

    def close(self) -> None:
        """Hand out what is committed, and end the thread. Idempotent."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            self._ended = True
            self._news.set()
            thread.join()

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
        while self._listeners and (events := self.read(self._at, BATCH)):
            for event in events:
                for listener in self._listeners:
                    if listener.wants(event):
                        _hear(listener, event)
                self._at = event.sequence


def _hear(listener: Listener, event: Event) -> None:
    try:
        listener.hear(event)
    except Exception:
        log.exception("a listener to changes of %s failed; the others still hear", event.model)


def _plain(text: str | None) -> Any:
    return None if text is None else plain(text)


def field_changes(event: Event) -> Iterator[str]:
    """Yield "<field>_change" for each field that an update changed."""
    before, after = event.before or {}, event.after or {}
    if event.event == "update":
        yield from (f"{name}_change" for name, value in after.items() if before.get(name) != value)
