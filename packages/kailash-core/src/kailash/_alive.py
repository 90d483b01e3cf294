"""Whether a process lives: a small file of its own that it locks, by SQLite; the lock ends with it, however it ends.

Rule: who asks takes a shared lock for a moment, so that two who ask at once do not take each other for the holder.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kailash._undo import Undoing


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
    """Whether somebody holds the lock of *owner* beside the database at *path*; a file that nobody holds goes."""
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


def _place(path: str, owner: str) -> Path:
    return Path(f"{path}-{owner}.alive")


def _locked(place: Path, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(place, timeout=timeout, isolation_level=None, check_same_thread=False)
    with Undoing(connection.close):
        connection.execute("BEGIN EXCLUSIVE")
    return connection
