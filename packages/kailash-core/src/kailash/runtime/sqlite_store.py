"""Journals of runs in one SQLite file: where there is no database of the application."""

from __future__ import annotations

import glob
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kailash._alive import LockedFile, file_lives
from kailash._undo import Undoing
from kailash.errors import RunInProgressError
from kailash.runtime.record import RunRecord, Status


class SQLiteRunStore:
    """A store in one SQLite file, shared by threads and processes.

    Written with write-ahead logging and ``synchronous=NORMAL``: what was kept survives the death of the
    process; the last steps before a power failure may be lost (https://www.sqlite.org/pragma.html#pragma_synchronous).

    Each run has an owner: the store that began it or took it over. A store holds the lock of a small file of its
    own beside the journals; that ends with the process, however it ends, and so tells others that it is no more.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._end: Callable[[], object] | None = None  # closes what is open; at the latest when the interpreter ends
        self._owner = ""

    def begin(self, record: RunRecord) -> RunRecord:
        with self._lock:
            connection = self._open()
            added = connection.execute(
                "INSERT OR IGNORE INTO runs (run_id, workflow, name, given, status, owner)"
                " VALUES (?, ?, ?, ?, 'running', ?)",
                (record.run_id, record.workflow, record.name, record.given, self._owner),
            )
            if added.rowcount:
                return record
            if not self._own(connection, record.run_id):
                raise RunInProgressError(
                    f"run {record.run_id!r} is under way in another process", hint="ask again when it ended"
                )
            return self._load(connection, record.run_id)

    def keep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        with self._lock:
            connection = self._connection or self._open()
            if len(steps) == 1:
                connection.execute(INSERT, (run_id, *steps[0]))
                return
            if len(steps) <= MAX_ROWS:
                _insert(connection, run_id, steps)
                return
            connection.execute("BEGIN IMMEDIATE")
            with Undoing(lambda: connection.execute("ROLLBACK")):
                for start in range(0, len(steps), MAX_ROWS):
                    _insert(connection, run_id, steps[start : start + MAX_ROWS])
            connection.execute("COMMIT")

    def finish(self, run_id: str, status: Status) -> None:
        with self._lock:
            self._open().execute("UPDATE runs SET status = ? WHERE run_id = ?", (status, run_id))

    async def abegin(self, record: RunRecord) -> RunRecord:
        return self.begin(record)

    async def akeep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        self.keep(run_id, steps)

    async def afinish(self, run_id: str, status: Status) -> None:
        self.finish(run_id, status)

    def unfinished(self) -> list[RunRecord]:
        """Return the runs that began and did not end, oldest first, without their steps."""
        with self._lock:
            rows = self._open().execute(
                "SELECT run_id, workflow, name, given, status FROM runs WHERE status = 'running' ORDER BY rowid"
            )
            return [_record(row) for row in rows]

    def recent(self, most: int = 100) -> list[RunRecord]:
        """Return the runs that began last, the latest first, without their steps."""
        with self._lock:
            rows = self._open().execute(
                "SELECT run_id, workflow, name, given, status FROM runs ORDER BY rowid DESC LIMIT ?", (most,)
            )
            return [_record(row) for row in rows]

    def take_over(self, names: Collection[str]) -> list[RunRecord]:
        """Return the runs of workflows of these names that were cut off, oldest first; they are this store's now.

        A run is cut off when it did not end and its owner lives no more, or is this store.
        """
        with self._lock:
            connection = self._open()
            rows = connection.execute(
                "SELECT run_id, workflow, name, given, status FROM runs WHERE status = 'running' ORDER BY rowid"
            ).fetchall()
            records = [_record(row) for row in rows]
            return [each for each in records if each.name in names and self._own(connection, each.run_id)]

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._connection = None
            if self._end is not None:
                self._end()
                self._end = None

    def _load(self, connection: sqlite3.Connection, run_id: str) -> RunRecord:
        row = connection.execute(
            "SELECT run_id, workflow, name, given, status FROM runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        steps = dict(connection.execute("SELECT path, output FROM steps WHERE run_id = ?", (run_id,)).fetchall())
        return _record(row, steps)

    def _own(self, connection: sqlite3.Connection, run_id: str) -> bool:
        """Make a run this store's unless another one that lives has it in hand; whether that is so now."""
        status, owner = connection.execute("SELECT status, owner FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if status == "done":
            return True
        if status == "running" and owner != self._owner and file_lives(self.path, owner):
            return False
        taken = connection.execute(
            "UPDATE runs SET status = 'running', owner = ? WHERE run_id = ? AND status = ? AND owner = ?",
            (self._owner, run_id, status, owner),
        )
        return taken.rowcount == 1

    def _live(self) -> LockedFile | None:
        """Take the lock that says that this store lives; clear away those of stores that were killed."""
        if self.path == ":memory:":
            return None
        base = Path(self.path)
        for place in base.parent.glob(f"{glob.escape(base.name)}-*.alive"):
            file_lives(self.path, place.name[len(base.name) + 1 : -len(".alive")])
        return LockedFile(self.path, self._owner)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(TABLES)
            self._owner = os.urandom(8).hex()
            self._end = weakref.finalize(self, _ended, connection, self._live())
            self._connection = connection
        return self._connection


def _ended(connection: sqlite3.Connection, life: LockedFile | None) -> None:
    connection.close()
    if life is not None:
        life.close()


def _insert(connection: sqlite3.Connection, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
    values = [value for path, output in steps for value in (run_id, path, output)]
    connection.execute(INSERT + ", (?, ?, ?)" * (len(steps) - 1), values)


INSERT: Final = "INSERT OR IGNORE INTO steps (run_id, path, output) VALUES (?, ?, ?)"
MAX_ROWS: Final = 5_000  # of one statement: 15,000 of the 32,766 parameters, https://sqlite.org/limits.html
TABLES: Final = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, name TEXT NOT NULL, given BLOB NOT NULL, status TEXT NOT NULL,
    owner TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS steps (
    run_id TEXT NOT NULL, path TEXT NOT NULL, output BLOB NOT NULL, PRIMARY KEY (run_id, path)
) WITHOUT ROWID;
"""


def _record(row: Sequence[Any], steps: Mapping[str, bytes] | None = None) -> RunRecord:
    run_id, workflow, name, given, status = row
    return RunRecord(run_id=run_id, workflow=workflow, name=name, given=given, status=status, steps=steps or {})


def default_store() -> SQLiteRunStore:
    """Return the store in the file that ``$KAILASH_RUNS`` names, else ``kailash-runs.db`` here."""
    return SQLiteRunStore(os.environ.get("KAILASH_RUNS") or "kailash-runs.db")
