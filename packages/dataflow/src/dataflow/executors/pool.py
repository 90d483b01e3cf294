"""A bounded pool of things that one user at a time may hold: connections, or the turn to write.

Rule 1: last in, first out, so that few connections are warm and the others age; waiters are served in order.
Rule 2: taking and giving back without contention takes no lock (list operations are atomic) and costs well under a
        microsecond.
Rule 3: a waiter is a `concurrent.futures.Future`, which a thread waits for and an event loop wraps.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeoutError
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from dataflow.errors import DatabaseUnavailableError
from dataflow.options import Options
from kailash._undo import Undoing

LEAST: Final = 5  # connections; arbitrary: a small program needs no more
MOST: Final = 20  # connections; PostgreSQL allows 100 in all by default, and several processes share them
LINGER: Final = 10.0  # seconds that an overflow connection may lie unused; arbitrary: longer than a burst


class PoolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections, and for how long. Durations in seconds."""

    pool_size: int | None = None  # connections kept; None: two for each processor and one more, 5 to 20
    max_overflow: int | None = None  # connections beyond it while they are in demand; None: as many again
    pool_recycle: float | None = None  # age at which a connection is replaced; None: never
    pool_timeout: float = 30.0  # how long a caller waits for a connection
    connect_timeout: float = 10.0
    echo: bool = False  # log each statement's text, never its values

    @classmethod
    def of(cls, given: Options) -> PoolOptions:
        """Return what the options of a database say of its connections."""
        return cls(
            pool_size=given.pool_size, max_overflow=given.max_overflow, pool_recycle=given.pool_recycle, echo=given.echo
        )

    @property
    def kept(self) -> int:
        """Connections that stay open."""
        return self.pool_size or min(MOST, max(LEAST, 2 * (os.cpu_count() or 1) + 1))

    @property
    def limit(self) -> int:
        """Connections that may be open at once."""
        return self.kept + (self.kept if self.max_overflow is None else self.max_overflow)


class Pooled(Protocol):
    """What a pool holds."""

    born: float  # time.monotonic()
    freed: float  # time.monotonic() when it was last given back beyond the kept number

    def usable(self) -> bool:
        """Whether it may be handed out again. Fast: no I/O."""
        ...

    def close(self) -> None:
        """End it; never raises."""
        ...


P = TypeVar("P", bound=Pooled)


class Pool(Generic[P]):
    """A bounded pool for threads."""

    def __init__(self, make: Callable[[], P], options: PoolOptions, *, what: str = "connection") -> None:
        self._make = make
        self._what = what
        self._kept, self._limit = options.kept, options.limit
        self._recycle = options.pool_recycle
        self.timeout = options.pool_timeout
        self._idle: list[P] = []
        self._waiters: deque[Future[P | None]] = deque()
        self._lock = threading.Lock()
        self._size = 0
        self._closed = 0.0  # time.monotonic() of the last close: what is older is not kept

    @property
    def size(self) -> int:
        """Things that exist, idle and held."""
        return self._size

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for one."""
        return bool(self._waiters)

    @property
    def idle(self) -> int:
        """Things that wait to be used."""
        return len(self._idle)

    def take(self) -> P:
        """Return one that is free, made if need be; wait for one at the limit.

        Raises: DatabaseUnavailableError when none is free in time, or none can be made.
        """
        if not self._waiters:
            one = self.poll()
            if one is not None:
                return one
        waiter = self.line_up()
        try:
            one = waiter.result(self.timeout)
        except WaitTimeoutError:
            self.leave(waiter)
            raise self.exhausted() from None
        return self.made(one)

    def made(self, one: P | None) -> P:
        """Return what a waiter was granted, or the one it may make instead."""
        if one is None:
            return self.make()
        if one.usable():
            return one
        one.close()  # its place stays ours
        return self.make()

    def poll(self) -> P | None:
        """Return one that is free at once, without waiting and without making one."""
        while self._idle:
            try:
                one = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if one.usable() and (self._recycle is None or time.monotonic() - one.born < self._recycle):
                return one
            self.drop(one)
        return None

    def line_up(self) -> Future[P | None]:
        """Return a future of one that is free; None: the caller may `make` one."""
        waiter: Future[P | None] = Future()
        with self._lock:
            if self._size < self._limit:
                self._size += 1
                waiter.set_result(None)
            else:
                self._waiters.append(waiter)
        if self._waiters:  # one may have been given back between the look and the line
            self._serve()
        return waiter

    def make(self) -> P:
        """Make the one that `line_up` allowed."""
        with Undoing(self._forget):
            return self._make()

    def give(self, one: P) -> None:
        """Give back *one*."""
        if one.born < self._closed or (self._size > self._kept and self._thin(one)):
            self.drop(one)
            return
        self._idle.append(one)
        if self._waiters:
            self._serve()

    def drop(self, one: P) -> None:
        """Close *one* for good; a waiter may have another made."""
        one.close()
        self._forget()

    def leave(self, waiter: Future[P | None]) -> None:
        """Wait no longer; what was granted in this very moment is given back."""
        if waiter.cancel():
            with self._lock, contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
            return
        one = waiter.result()
        if one is None:
            self._forget()
        else:
            self.give(one)

    def exhausted(self) -> DatabaseUnavailableError:
        """The error of a caller that waited in vain."""
        return DatabaseUnavailableError(
            f"no {self._what} became free in {self.timeout:g} seconds; all {self._limit} are in use",
            hint="end transactions sooner, or raise pool_size or max_overflow",
        )

    def close(self) -> None:
        """Close what is idle now, and what is held when it comes back; later takers get new ones."""
        self._closed = time.monotonic()
        while self._idle:
            try:
                one = self._idle.pop()
            except IndexError:  # another thread was faster
                return
            self.drop(one)

    def abandon(self) -> list[P]:
        """Forget everything without closing it: after a fork it belongs to the parent. Keep what is returned alive."""
        held, self._idle = self._idle, []
        self._waiters, self._lock, self._size = deque(), threading.Lock(), 0
        return held

    def _serve(self) -> None:
        """Hand idle ones to waiters, first come first served."""
        with self._lock:
            while self._waiters and self._idle:
                try:
                    one = self._idle.pop()
                except IndexError:  # a thread that takes no lock was faster
                    return
                waiter = self._waiters.popleft()
                if waiter.set_running_or_notify_cancel():
                    waiter.set_result(one)
                else:
                    self._idle.append(one)

    def _forget(self) -> None:
        """One is gone: its place goes to the first waiter, who makes another."""
        with self._lock:
            while self._waiters:
                waiter = self._waiters.popleft()
                if waiter.set_running_or_notify_cancel():
                    waiter.set_result(None)
                    return
            self._size -= 1

    def _thin(self, one: P) -> bool:
        """Whether *one*, beyond the kept number, has no use any more."""
        now = time.monotonic()
        one.freed = now
        return bool(self._idle) and not self._waiters and now - self._idle[0].freed > LINGER
