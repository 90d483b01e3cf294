"""Hearing of what others write to a SQLite file, by a question before each answer that is kept."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Final

QUESTION: Final = "PRAGMA data_version"


class FileWatch:
    """Of a SQLite file: asks for each answer whether any other connection has committed, in about 3 microseconds.

    Which tables were written to is not told, and the other connections of this process are others too.
    Source: https://sqlite.org/pragma.html#pragma_data_version
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], changed: Callable[[str], None]) -> None:
        self._connect, self._changed = connect, changed
        self._lock = threading.Lock()
        self._cursor: sqlite3.Cursor | None = None
        self._inherited: list[sqlite3.Cursor] = []
        self._seen: int | None = None

    def begin(self) -> None:
        self.fresh()

    def fresh(self) -> bool:
        with self._lock:
            try:
                cursor = self._cursor or self._opened()
                (version,) = cursor.execute(QUESTION).fetchone()
            except sqlite3.Error:
                version = None
            if version != self._seen or version is None:
                self._changed("")
                self._seen = version
            return version is not None

    catch_up = fresh

    def close(self) -> None:
        with self._lock:
            cursor, self._cursor, self._seen = self._cursor, None, None
            if cursor is not None:
                cursor.connection.close()

    def forked(self) -> None:
        """Go on in a child process, where the connection is the parent's: neither used nor closed."""
        if self._cursor is not None:
            self._inherited.append(self._cursor)
        self._cursor = self._seen = None
        self._lock = threading.Lock()  # a thread of the parent may have held it

    def _opened(self) -> sqlite3.Cursor:
        self._seen = None
        self._cursor = self._connect().cursor()
        return self._cursor
