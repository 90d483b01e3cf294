"""Who is asking, for whom, over which channel, and until when.

Rule: a context is passed explicitly, from the channel down to the executor; it is never a global.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec


class Cancellation:
    """A wish, made by anybody in any thread, that the work of a context ends now."""

    __slots__ = ("_listeners", "_lock", "requested")

    def __init__(self) -> None:
        self.requested = False
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._lock = threading.Lock()

    def request(self) -> None:
        """Ask for the end; asking again changes nothing."""
        with self._lock:
            listeners = () if self.requested else self._listeners
            self.requested = True
        for listener in listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call *listener* once, in the asking thread, or at once when it was asked; return what ends listening."""
        with self._lock:
            late = self.requested
            if not late:
                self._listeners = (*self._listeners, listener)
        if late:
            listener()
        return lambda: self._forget(listener)

    def _forget(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one request."""

    principal: str | None = None
    tenant: str | None = None
    roles: frozenset[str] = frozenset()
    request_id: str = ""
    channel: str = "python"  # "rest", "cli", "mcp", "ws"; "python" for a direct call
    deadline: float | None = None  # seconds on time.monotonic()
    cancellation: Cancellation | None = None
    progress: Callable[[Any], None] | None = None  # hears of every step of a workflow: a runtime's `StepEvent`
    idempotency_key: str = ""  # chosen by the caller: the same key means the same run of a durable workflow


ANONYMOUS = Context()
