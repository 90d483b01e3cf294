"""SQLite on the thread of an event loop: statements that are over sooner than a hop to another thread.

Rule 1: nothing here waits: not for the turn to write, not for another process, not longer than `BUDGET` for a
        statement. What would wait is given up, with nothing changed, and belongs on a thread.
Rule 2: a shape that was given up goes to a thread `PAUSE` times before it is tried here again: a machine that was
        busy once shall not make it slow for good.
Rule 3: moving the log into the file (a checkpoint) is for the writer's thread, which has every `SHARE`-th write.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Final

from dataflow.effects import Query, Rows
from dataflow.errors import RetryableError
from dataflow.executors.sqlite import TURN, SqliteDatabase, SqliteSession
from kailash.errors import DeadlineExceededError

BUDGET: Final = (
    0.004  # seconds that a statement may hold the loop; arbitrary: less than a frame, more than a page of rows
)
STEPS: Final = 4_000  # SQLite instructions between two looks at the clock; about 0.1 ms
PAUSE: Final = 100  # statements; arbitrary: a try in vain then costs one part in a hundred
MOST: Final = 1_000  # shapes that pause; arbitrary
SHARE: Final = 200  # writes; they fill about a quarter of the log of 4,000 pages after which SQLite makes a checkpoint


class Inline:
    """A loop's own connections to one file: one that reads, and one that writes when nobody else does."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._turn = database.turn
        self._began = 0.0
        self._reader = self._connect()
        self._reader.command("PRAGMA query_only = ON")
        self._writer: SqliteSession | None = None
        self._written = 0
        self._pauses: dict[Hashable, int] = {}

    def answer(self, effect: Query) -> Rows | None:
        """Run one statement that commits by itself; None: it was given up, and has changed nothing."""
        if self._pauses and self._paused(effect.shape):
            return None
        if effect.writes:
            return self._write(effect)
        self._began = time.monotonic()
        try:
            return self._reader.query(effect)
        except DeadlineExceededError:
            self._pause(effect.shape)
            return None

    async def aclose(self) -> None:
        """Close the connections."""
        self.discard()

    def discard(self) -> None:
        """Close the connections, which are bound to no loop."""
        self._reader.close()
        if self._writer is not None:
            self._writer.close()

    def _write(self, effect: Query) -> Rows | None:
        turn = self._turn
        self._written += 1
        if self._written % SHARE == 0 or turn.waiting or turn.poll() is None:
            return None
        try:
            writer = self._writer or self._connect_writer()
            self._began = time.monotonic()
            return writer.query(effect)
        except DeadlineExceededError:
            self._pause(effect.shape)
            return None
        except RetryableError:  # another process writes; a thread waits for it
            return None
        finally:
            turn.give(TURN)

    def _pause(self, shape: Hashable) -> None:
        if len(self._pauses) < MOST:
            self._pauses[shape] = PAUSE

    def _paused(self, shape: Hashable) -> bool:
        left = self._pauses.get(shape)
        if left is None:
            return False
        if left:
            self._pauses[shape] = left - 1
            return True
        del self._pauses[shape]
        return False

    def _connect_writer(self) -> SqliteSession:
        writer = self._connect()
        for pragma in ("busy_timeout = 0", "wal_autocheckpoint = 0"):
            writer.command(f"PRAGMA {pragma}")
        self._writer = writer
        return writer

    def _connect(self) -> SqliteSession:
        session = self._database.connect()
        session.connection.set_progress_handler(self._too_long, STEPS)
        return session

    def _too_long(self) -> bool:
        return time.monotonic() - self._began > BUDGET
