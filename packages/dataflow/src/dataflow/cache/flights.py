"""One question for many who ask the same at once: by threads, and by the tasks of each event loop."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from typing import Any, Final

from kailash._standard import asyncio

MISSING: Final = object()


class Flights:
    """The questions that are under way.

    keep: makes of an outcome what the others are given, by *read*; `MISSING` where it cannot be given away. Who waited
    for a question that failed asks for itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Future[Any]] = {}
        self._aflights: dict[tuple[Any, Hashable], Any] = {}

    def ask(
        self, key: Hashable, load: Callable[[], Any], keep: Callable[[Any], Any], read: Callable[[Any], Any]
    ) -> Any:
        """Return the outcome of *load*, which one of many threads does for all of them."""
        with self._lock:
            flight = self._flights.get(key)
            first = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not first:
            kept = flight.result()
            return load() if kept is MISSING else read(kept)
        kept = MISSING
        try:
            outcome = load()
            kept = keep(outcome)
        finally:
            with self._lock:
                del self._flights[key]
            flight.set_result(kept)
        return outcome

    async def aask(
        self, key: Hashable, load: Callable[[], Awaitable[Any]], keep: Callable[[Any], Any], read: Callable[[Any], Any]
    ) -> Any:
        """Like `ask`, for the tasks of an event loop; *load* is awaited."""
        loop = asyncio.get_running_loop()
        flight = self._aflights.get((loop, key))
        if flight is not None:
            kept = await asyncio.shield(flight)
            return await load() if kept is MISSING else read(kept)
        flight = self._aflights[loop, key] = loop.create_future()
        kept = MISSING
        try:
            outcome = await load()
            kept = keep(outcome)
        finally:
            del self._aflights[loop, key]
            flight.set_result(kept)
        return outcome
