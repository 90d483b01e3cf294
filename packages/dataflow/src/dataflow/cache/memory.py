"""The cache of one process: the latest answers, each for a time."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, Final

from dataflow.cache.base import Deed, Load, LoadAsync
from dataflow.cache.copying import Copy
from dataflow.cache.flights import MISSING, Flights
from dataflow.operations import values as ops

MOST: Final = 10_000  # answers that are kept; arbitrary
MOST_TENANTS: Final = 10_000  # of one model, whose writes are told apart; arbitrary: about a megabyte

_numbers: Final = itertools.count(1)  # no number is given twice: what two threads do at once never revives an answer


class Generation:
    """Since when the answers of a model are as they are, as far as this process knows; part of their key."""

    __slots__ = ("_any", "_every", "_tenants")

    def __init__(self) -> None:
        self._any = self._every = 0
        self._tenants: dict[str, int] = {}

    def of(self, tenant: str | None) -> Hashable:
        """Return the generation of the answers of *tenant*; None: of those about all records."""
        return self._any if tenant is None else (self._every, self._tenants.get(tenant))

    def bump(self, tenant: str | None = None) -> None:
        """Make the answers old that a write for *tenant* changes; None: all of them."""
        number = self._any = next(_numbers)
        if tenant is None or len(self._tenants) >= MOST_TENANTS:
            self._every = number
            self._tenants = {}
        else:
            self._tenants[tenant] = number


class MemoryCache:
    """Answers by key; threads and event loops may share it. clock: seconds, which only grow."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep *most* answers; the one that was asked for longest ago goes first."""
        self._most, self.clock = most, clock
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._flights = Flights()
        self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: Hashable) -> Any:
        """Return the answer that is kept, itself, or `MISSING`."""
        found = self._answers.get(key)
        if found is None or found[0] <= self.clock():
            self.misses += 1
            return MISSING
        self.hits += 1
        try:
            self._answers.move_to_end(key)
        except KeyError:  # another thread has thrown it out; it is good nevertheless
            return found[1]
        return found[1]

    def keep(self, key: Hashable, answer: Any, ttl: float) -> None:
        """Keep *answer* for *ttl* seconds."""
        with self._lock:
            self._answers[key] = (self.clock() + ttl, answer)
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)

    def fill(self, key: Hashable, ttl: float, load: Load, copy: Copy) -> Any:
        """Keep and return the answer of *load*, which one of many threads does for all of them."""
        return self._flights.ask(key, load, partial(self._kept, key, ttl, copy), copy)

    async def afill(self, key: Hashable, ttl: float, load: LoadAsync, copy: Copy) -> Any:
        """Like `fill`, for the tasks of an event loop; *load* is awaited."""
        return await self._flights.aask(key, load, partial(self._kept, key, ttl, copy), copy)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()

    def _kept(self, key: Hashable, ttl: float, copy: Copy, outcome: Any) -> Any:
        answer = copy(outcome)
        self.keep(key, answer, ttl)
        return answer


class MemoryAnswers:
    """The answers of one model in the memory of this process: `dataflow.cache.base.Answers`."""

    __slots__ = ("_analytics", "_bump", "_cache", "_copy", "_fresh", "_times", "generation")

    def __init__(
        self,
        cache: MemoryCache,
        copy: Copy,
        times: Mapping[type, float],
        fresh: Callable[[], bool],
        analytics: Generation | None = None,
    ) -> None:
        """times: for how many seconds the answers to each kind of operation are kept.

        fresh: looks whether others have written; whether what is kept may be as new as the database.
        analytics: that of the aggregates of all models, where some event makes those old.
        """
        self._cache, self._copy, self._times, self._fresh = cache, copy, times, fresh
        self._analytics = analytics
        self.generation = Generation()
        self._bump = self.generation.bump

    def read(self, operation: Any, tenant: str | None, load: Load) -> Any:
        ttl = self._times.get(type(operation))
        if ttl is None or not self._fresh():
            return load()
        key = self._key(operation, tenant)
        try:
            kept = self._cache.find(key)
        except TypeError:  # a filter by a list or an object has no hash
            return load()
        return self._copy(kept) if kept is not MISSING else self._cache.fill(key, ttl, load, self._copy)

    async def aread(self, operation: Any, tenant: str | None, load: LoadAsync) -> Any:
        ttl = self._times.get(type(operation))
        if ttl is None or not self._fresh():
            return await load()
        key = self._key(operation, tenant)
        try:
            kept = self._cache.find(key)
        except TypeError:
            return await load()
        return self._copy(kept) if kept is not MISSING else await self._cache.afill(key, ttl, load, self._copy)

    def _key(self, operation: Any, tenant: str | None) -> Hashable:
        generation = self.generation.of(tenant)
        if self._analytics is not None and type(operation) is ops.Aggregate:
            generation = (generation, self._analytics.of(None))
        return self, generation, operation

    def deed(self, tenant: str | None) -> Deed:
        return self._bump if tenant is None else partial(self._bump, tenant)
