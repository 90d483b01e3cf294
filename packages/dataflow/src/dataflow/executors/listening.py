"""Hearing of what others write to PostgreSQL: LISTEN, on a connection and a thread of their own.

Rule 1: what is heard is told before it is said that all was heard.
Rule 2: the connection is asked for a sign of life every `BEAT` seconds. Without one for `LEASE` seconds nothing can be
        said, and all may have changed; the same where it is lost, until there is another one.
Source: https://www.postgresql.org/docs/current/sql-listen.html; a session is told of notifications before it answers
the next question, so a sign of life is also all that was committed before it.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, Protocol

from dataflow.errors import DatabaseError
from dataflow.model import naming

BEAT: Final = 1.0  # seconds; arbitrary
LEASE: Final = 3.0  # seconds; arbitrary: two signs of life may come late
PAUSE: Final = 0.5  # seconds between two tries to connect; arbitrary
CATCH_UP: Final = 5.0  # seconds for which it is waited that all is heard; arbitrary

log = logging.getLogger("dataflow.cache")


class Session(Protocol):
    """One connection of psycopg2."""

    connection: Any

    def command(self, sql: str) -> None:
        """Run a statement."""

    def heard(self) -> list[str]:
        """Return what was notified, as far as it is there."""

    def close(self) -> None:
        """Close it."""


class Listening:
    """A `dataflow.executors.watching.Watch` of a PostgreSQL database."""

    def __init__(self, connect: Callable[[], Session], changed: Callable[[str], None]) -> None:
        self._connect, self._changed = connect, changed
        self._until = 0.0  # time.monotonic() until which all that others committed is known to have been told
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._wake: tuple[int, int] | None = None
        self._ended = False
        self._waiting: list[Future[bool]] = []

    def begin(self) -> None:
        if not self.catch_up():
            log.warning("the writes of others cannot be heard of yet; nothing is kept until they can")

    def fresh(self) -> bool:
        if time.monotonic() < self._until and self._process == os.getpid():
            return True
        if self._thread is None or self._process != os.getpid():
            self._start()
        return False

    def catch_up(self) -> bool:
        waiter: Future[bool] = Future()
        self._start(waiter)
        with suppress(TimeoutError):
            return waiter.result(CATCH_UP)
        return False

    def close(self) -> None:
        with self._lock:
            thread, self._thread, self._until, self._ended = self._thread, None, 0.0, True
            self._poke()
        if thread is not None and self._process == os.getpid():
            thread.join()

    def _start(self, waiter: Future[bool] | None = None) -> None:
        with self._lock:
            if self._process != os.getpid():  # a fork: the thread and the connection are the parent's
                self._process, self._thread, self._until, self._waiting, self._wake = os.getpid(), None, 0.0, [], None
            if waiter is not None:
                self._waiting.append(waiter)
            if self._thread is None:
                self._ended = False
                self._wake = os.pipe()
                self._thread = threading.Thread(
                    target=self._work, args=(self._wake,), name="dataflow-listening", daemon=True
                )
                self._thread.start()
            self._poke()

    def _poke(self) -> None:
        if self._wake is not None:
            os.write(self._wake[1], b".")

    def _work(self, wake: tuple[int, int]) -> None:
        session: Session | None = None
        try:
            while not self._ended:
                try:
                    session = session or self._open()
                    self._beat(session)
                    self._await(session, wake[0])
                except (DatabaseError, OSError) as fault:
                    self._lose(session, fault)
                    session = None
                    select.select([wake[0]], [], [], PAUSE)
        finally:
            with self._lock:
                os.close(wake[0])
                os.close(wake[1])
                self._wake = None if self._wake is wake else self._wake
                waiting, self._waiting = self._waiting, []
            _answer(waiting, known=False)
            if session is not None:
                session.close()

    def _open(self) -> Session:
        session = self._connect()
        session.command(f"LISTEN {naming.CHANGED}")
        self._changed("")  # what happened until here was told to nobody
        return session

    def _beat(self, session: Session) -> None:
        """Ask for a sign of life, and tell of all that came with it."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        began = time.monotonic()
        try:
            session.command("SELECT 1")
            self._tell(session)
        except DatabaseError:
            with self._lock:
                self._waiting[:0] = waiting  # there may be another connection in time
            raise
        self._until = 0.0 if self._ended else began + LEASE
        _answer(waiting, known=True)

    def _await(self, session: Session, wake: int) -> None:
        """Tell of what comes, until it is time for the next sign of life or somebody asks for one."""
        end = time.monotonic() + BEAT
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([session.connection, wake], [], [], left)
            if wake in ready:
                os.read(wake, 4096)
                return
            if ready:
                self._tell(session)

    def _tell(self, session: Session) -> None:
        for what in session.heard():
            self._changed(what)

    def _lose(self, session: Session | None, fault: Exception) -> None:
        if self._until or session is not None:
            log.warning("the writes of others are not heard of (%s); nothing is kept meanwhile", type(fault).__name__)
        self._until = 0.0
        self._changed("")
        if session is not None:
            session.close()
            return
        with self._lock:
            waiting, self._waiting = self._waiting, []
        _answer(waiting, known=False)


def _answer(waiting: list[Future[bool]], *, known: bool) -> None:
    for each in waiting:
        each.set_result(known)
