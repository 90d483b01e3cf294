"""The cache of one process: the latest answers, each for a time, and one question for many who ask the same."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Final

from dataflow.cache.copying import Copy

MOST: Final = 10_000  # answers that are kept; arbitrary
MISSING: Final = object()

Key = tuple[Any, int, Hashable]


class Generation:
    """How often a model was written to, as far as this process knows; part of the key of its answers."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def bump(self) -> None:
        """Make all answers old."""
        self.number += 1  # two at once may count as one: the number has changed all the same


class MemoryCache:
    """Answers by key; threads and event loops may share it."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep *most* answers; the one that was asked for longest ago goes first."""
        self._most, self._clock = most, clock
        self._answers: OrderedDict[Key, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._flights: dict[Key, Future[Any]] = {}
        self._aflights: dict[tuple[Any, Key], Any] = {}
        self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: Key) -> Any:
        """Return the answer that is kept, itself, or `MISSING`."""
        found = self._answers.get(key)
        if found is None or found[0] <= self._clock():
            self.misses += 1
            return MISSING
        self.hits += 1
        with contextlib.suppress(KeyError):  # another thread has thrown it out; it is good nevertheless
            self._answers.move_to_end(key)
        return found[1]

    def keep(self, key: Key, answer: Any, ttl: float) -> None:
        """Keep *answer* for *ttl* seconds."""
        with self._lock:
            self._answers[key] = (self._clock() + ttl, answer)
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)

    def read(self, key: Key, ttl: float, load: Callable[[], Any], copy: Copy) -> Any:
        """Return the answer that is kept, or the one of *load*, which one of many threads does for all of them."""
        kept = self.find(key)
        if kept is not MISSING:
            return copy(kept)
        with self._lock:
            flight = self._flights.get(key)
            first = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not first:
            answer = flight.result()
            return load() if answer is MISSING else copy(answer)
        answer = MISSING
        try:
            loaded = load()
            answer = copy(loaded)
            self.keep(key, answer, ttl)
        finally:
            with self._lock:
                del self._flights[key]
            flight.set_result(answer)
        return loaded

    async def aread(self, key: Key, ttl: float, load: Callable[[], Any], copy: Copy) -> Any:
        """Like `read`, for the tasks of an event loop; *load* is awaited."""
        kept = self.find(key)
        if kept is not MISSING:
            return copy(kept)
        import asyncio  # whoever is here has it

        loop = asyncio.get_running_loop()
        flight = self._aflights.get((loop, key))
        if flight is not None:
            answer = await asyncio.shield(flight)
            return await load() if answer is MISSING else copy(answer)
        flight = self._aflights[loop, key] = loop.create_future()
        answer = MISSING
        try:
            loaded = await load()
            answer = copy(loaded)
            self.keep(key, answer, ttl)
        finally:
            del self._aflights[loop, key]
            flight.set_result(answer)
        return loaded

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()
