"""Whether a process lives: a lock that it holds, and that ends with it, however it ends.

A file of SQLite has that of `kailash._alive`; these are advisory locks of PostgreSQL.
Rule: who asks takes a shared lock for a moment, so that two who ask at once do not take each other for the holder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
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
