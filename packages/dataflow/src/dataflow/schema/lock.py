"""The migration lock of a database: one holder at a time, whatever the process or machine."""

from __future__ import annotations

from typing import Final

from dataflow.errors import MigrationLockedError, RetryableError
from dataflow.schema.connection import Connection

KEY: Final = 0x6461_7461_666C_6F77  # "dataflow"; the key of an advisory lock has 64 bits


def begin_locked(connection: Connection, timeout: float) -> None:
    """Begin a transaction that holds the lock to its end; wait *timeout* seconds at most.

    PostgreSQL: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS; SQLite: BEGIN IMMEDIATE.

    Raises: MigrationLockedError, naming the holder where the database can tell.
    """
    try:
        connection.begin(timeout)
        if connection.dialect == "postgresql":
            connection.ask(f"SELECT pg_advisory_xact_lock({KEY})")
    except RetryableError as fault:
        holder = _holder(connection)
        raise MigrationLockedError(
            f"{holder or 'another process'} has held the migration lock for more than {timeout:g} seconds",
            hint="wait for it to end, or raise migration_lock_timeout",
        ) from fault


def _holder(connection: Connection) -> str:
    if connection.dialect != "postgresql":
        return ""
    connection.ask("ROLLBACK")
    found = connection.ask(
        "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'a process') FROM pg_locks l"
        " JOIN pg_stat_activity a ON a.pid = l.pid"
        f" WHERE l.locktype = 'advisory' AND l.granted AND l.classid = {KEY >> 32} AND l.objid = {KEY & 0xFFFF_FFFF}"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return f"{found[0][1]} (PostgreSQL process {found[0][0]})" if found else ""
