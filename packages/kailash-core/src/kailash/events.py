"""Events of committed changes, and the bus that carries them inside one process.

Rule 1: an event is emitted after the commit, or never.
Rule 2: a slow listener loses its oldest events and is told how many; it never slows the writer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One committed change of one record."""

    model: str
    event: str  # "create", "update", "delete"
    id: Any
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    tenant: str | None = None
    sequence: int = 0  # position in the database's outbox; 0 where there is none


Listener: TypeAlias = Callable[[Event], None]


class Bus(Protocol):
    """Takes events from writers and hands them to listeners."""

    def emit(self, event: Event) -> None:
        """Hand *event* to every listener; never raises what a listener raised."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with every later event; return the function that ends this."""


class Inbox:
    """A bounded queue of events that a reader drains at its own speed."""

    def __init__(self, limit: int) -> None:
        self._events: deque[Event] = deque(maxlen=limit)
        self.lost = 0

    def __call__(self, event: Event) -> None:
        if len(self._events) == self._events.maxlen:
            self.lost += 1
        self._events.append(event)

    def drain(self) -> list[Event]:
        """Return what waits, oldest first, and empty the inbox."""
        waiting = []
        while self._events:
            waiting.append(self._events.popleft())
        return waiting


class LocalBus:
    """The bus of one process."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    @property
    def listened(self) -> bool:
        """Whether anybody would hear; a writer may save itself the making of an event."""
        return bool(self._listeners)

    def emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe
