"""Journals of runs in one SQLite file: where there is no database of the application."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kailash.runtime.record import RunRecord, Status


class SQLiteRunStore:
    """A store in one SQLite file, shared by threads and processes.

    Written with write-ahead logging and ``synchronous=NORMAL``: what was kept survives the death of the
    process; the last steps before a power failure may be lost (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._claim: sqlite3.Connection | None = None

    def begin(self, record: RunRecord) -> RunRecord:
        with self._lock:
            connection = self._open()
            added = connection.execute(
                "INSERT OR IGNORE INTO runs (run_id, workflow, name, given, status) VALUES (?, ?, ?, ?, 'running')",
                (record.run_id, record.workflow, record.name, record.given),
            )
            if added.rowcount:
                return record
            connection.execute(
                "UPDATE runs SET status = 'running' WHERE run_id = ? AND status = 'failed'", (record.run_id,)
            )
            return self._load(connection, record.run_id)

    def keep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        with self._lock:
            connection = self._open()
            if len(steps) <= MAX_ROWS:
                _insert(connection, run_id, steps)
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                for start in range(0, len(steps), MAX_ROWS):
                    _insert(connection, run_id, steps[start : start + MAX_ROWS])
            except BaseException:
                connection.execute("ROLLBACK")
                raise
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

    def claim(self) -> bool:
        """Whether this process is the one that goes on with what was cut off; it stays so until it ends or closes.

        Another process that lives may be at work on what looks cut off, so only one process claims the file: it
        holds the lock of a second one beside it, which ends with the process, however that ends.
        """
        with self._lock:
            if self._claim is None:
                beside = sqlite3.connect(f"{self.path}-claim", timeout=0, isolation_level=None, check_same_thread=False)
                try:
                    beside.execute("BEGIN EXCLUSIVE")
                except sqlite3.OperationalError:
                    beside.close()
                    return False
                self._claim = beside
            return True

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            if self._claim is not None:
                self._claim.close()
                self._claim = None
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _load(self, connection: sqlite3.Connection, run_id: str) -> RunRecord:
        row = connection.execute(
            "SELECT run_id, workflow, name, given, status FROM runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        steps = dict(connection.execute("SELECT path, output FROM steps WHERE run_id = ?", (run_id,)).fetchall())
        return _record(row, steps)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(TABLES)
            self._connection = connection
        return self._connection


def _insert(connection: sqlite3.Connection, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
    if len(steps) == 1:
        path, output = steps[0]
        connection.execute(INSERT, (run_id, path, output))
        return
    values = [value for path, output in steps for value in (run_id, path, output)]
    connection.execute(INSERT + ", (?, ?, ?)" * (len(steps) - 1), values)


INSERT: Final = "INSERT OR IGNORE INTO steps (run_id, path, output) VALUES (?, ?, ?)"
MAX_ROWS: Final = 5_000  # of one statement: 15,000 of the 32,766 parameters, https://sqlite.org/limits.html
TABLES: Final = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, name TEXT NOT NULL, given BLOB NOT NULL, status TEXT NOT NULL
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
