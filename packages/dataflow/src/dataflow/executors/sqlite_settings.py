"""What every connection to a SQLite database is set to."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from dataflow.executors import sqlite_functions

# The log moves into the file at 16 MB, not at 4: pages that many writes touch are moved and synced once for all.
PRAGMAS: Final = (
    "foreign_keys = ON", "synchronous = NORMAL", "case_sensitive_like = ON", "wal_autocheckpoint = 4000",
)  # fmt: skip


def set_up(connection: sqlite3.Connection, busy: float, *, memory: bool) -> None:
    """Make the settings of a connection; every one of them, on every connection."""
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    sqlite_functions.register(connection)
    if not memory:
        _write_ahead(connection, time.monotonic() + busy)


def _write_ahead(connection: sqlite3.Connection, deadline: float) -> None:
    """Put the file in WAL mode. SQLite does not wait for the lock that the first change of mode needs; we do."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.002)  # seconds; arbitrary: another process changes the mode in about as long
