"""Whether a process lives: a lock that it holds, and that ends with it, however it ends.

Rule: who asks takes a shared lock for a moment, so that two who ask at once do not take each other for the holder.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from dataflow.errors import DataFlowError
from kailash._undo import Undoing


class Asked(Protocol):
    """One connection to PostgreSQL."""

    def ask(self, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows."""

    def close(self) -> None:
        """Close it."""


class Life(Protocol):
    """A lock that is held."""

    def close(self) -> None:
        """Give it up. Idempotent."""


class Nothing:
    """The life of a database in memory, which nobody else can reach."""

    def close(self) -> None:
        """Nothing to end."""


class LockedFile:
    """A small file beside a SQLite database, locked."""

    def __init__(self, path: str, owner: str, timeout: float = 5.0) -> None:
        """Take the lock, which nobody else wants but for a moment. Raises: sqlite3.OperationalError."""
        self._place = _place(path, owner)
        self._lock = _locked(self._place, timeout)
        while not self._place.exists():  # another one cleared it away before it was locked
            self._lock.close()
            self._lock = _locked(self._place, timeout)

    def close(self) -> None:
        """Give it up."""
        self._lock.close()
        self._place.unlink(missing_ok=True)


def file_lives(path: str, owner: str) -> bool:
    """Whether somebody holds the lock of *owner* beside the database at *path*."""
    place = _place(path, owner)
    if not place.exists():
        return False
    connection = sqlite3.connect(place, timeout=0, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    place.unlink(missing_ok=True)
    return False


def free_file(path: str, owner: str) -> LockedFile | None:
    """Take the lock of *owner* beside the database at *path*; None where somebody holds it."""
    try:
        return LockedFile(path, owner, timeout=0.0)
    except sqlite3.OperationalError:
        return None


class LockedKey:
    """An advisory lock of PostgreSQL, held by a connection of its own."""

    def __init__(self, connection: Asked, owner: str, *, held: bool = False) -> None:
        """Take the lock, unless the connection has it already."""
        self._connection = connection
        self._key = _key(owner)
        if not held:
            connection.ask(f"SELECT pg_advisory_lock({self._key})", ())

    def close(self) -> None:
        """Give it up, and the connection, whose end the server would notice a moment later."""
        with suppress(DataFlowError):  # the session has ended, and the lock with it
            self._connection.ask(f"SELECT pg_advisory_unlock({self._key})", ())
        self._connection.close()


def free_key(connection: Asked, owner: str) -> LockedKey | None:
    """Take the lock of *owner* for *connection*, which is closed where somebody else holds it: None."""
    with Undoing(connection.close):
        if connection.ask(f"SELECT pg_try_advisory_lock({_key(owner)})", ())[0][0]:
            return LockedKey(connection, owner, held=True)
    connection.close()
    return None


def key_lives(connection: Asked, owner: str) -> bool:
    """Whether somebody holds the lock of *owner*."""
    key = _key(owner)
    if not connection.ask(f"SELECT pg_try_advisory_lock_shared({key})", ())[0][0]:
        return True
    connection.ask(f"SELECT pg_advisory_unlock_shared({key})", ())
    return False


def _key(owner: str) -> int:
    """Return the 64 bits that PostgreSQL knows a lock by."""
    return int.from_bytes(hashlib.sha256(b"dataflow run store " + owner.encode()).digest()[:8], signed=True)


def _place(path: str, owner: str) -> Path:
    return Path(f"{path}-{owner}.alive")


def _locked(place: Path, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(place, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        connection.close()
        raise
    return connection
