"""One value for each running event loop: what is bound to a loop must not outlive it, nor be used by another.

Rule 1: a loop that ends properly (``asyncio.run``, a server, a test runner) closes its value itself: an async generator
        that waits on the loop is closed by ``loop.shutdown_asyncgens``, and closes the value.
Rule 2: a loop that was closed without that has its value discarded when another loop comes along.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar


class Bound(Protocol):
    """Something that belongs to one event loop."""

    async def aclose(self) -> None:
        """End it, on its loop."""
        ...

    def discard(self) -> None:
        """End it without its loop, which may be closed; never raises."""
        ...


B = TypeVar("B", bound=Bound)


class PerLoop(Generic[B]):
    """The values, by loop."""

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], B]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._known: dict[asyncio.AbstractEventLoop, B] = {}
        self._last: tuple[asyncio.AbstractEventLoop, B] | None = None

    def current(self) -> B:
        """Return the value of the running loop, made at its first use."""
        loop = asyncio.get_running_loop()
        last = self._last
        if last is not None and last[0] is loop:
            return last[1]
        return self._find(loop)

    def values(self) -> list[B]:
        """All values."""
        with self._lock:
            return list(self._known.values())

    async def aclose(self) -> None:
        """Close the running loop's value properly, and discard the others."""
        mine = self._forget(asyncio.get_running_loop())
        if mine is not None:
            await mine.aclose()
        self.close()

    def close(self) -> None:
        """Discard all values, without a running loop or for loops of other threads."""
        with self._lock:
            known, self._known, self._last = self._known, {}, None
        for loop, value in known.items():
            _discard(loop, value)

    def abandon(self) -> list[B]:
        """Forget everything without closing it: after a fork it belongs to the parent. Keep what is returned alive."""
        known, self._known, self._last, self._lock = self._known, {}, None, threading.Lock()
        return list(known.values())

    def _find(self, loop: asyncio.AbstractEventLoop) -> B:
        with self._lock:
            dead = [(other, self._known.pop(other)) for other in list(self._known) if other.is_closed()]
            value = self._known.get(loop)
            if value is None:
                value = self._known[loop] = self._make(loop)
            self._last = (loop, value)
        for other, lost in dead:
            _discard(other, lost)
        return value

    def _forget(self, loop: asyncio.AbstractEventLoop) -> B | None:
        with self._lock:
            if self._last is not None and self._last[0] is loop:
                self._last = None
            return self._known.pop(loop, None)

    async def until_shutdown(self) -> AsyncGenerator[None, None]:
        """Wait for the end of the running loop, then close its value. Begin it with ``anext`` and keep it."""
        loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            value = self._forget(loop)
            if value is not None:
                await value.aclose()


def _discard(loop: asyncio.AbstractEventLoop, value: Bound) -> None:
    if loop.is_running():  # in another thread
        loop.call_soon_threadsafe(value.discard)
    else:
        value.discard()
