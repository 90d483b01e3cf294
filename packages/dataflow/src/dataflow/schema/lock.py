"""The migration lock of a database: one holder at a time, whatever the process or machine; what is made under it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from dataflow.errors import MigrationLockedError, RetryableError, SchemaMismatchError
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


def supply(
    connection: Connection,
    timeout: float,
    missing: Callable[[], Sequence[str]],
    *,
    make: bool,
    refusal: SchemaMismatchError,
    then: Callable[[], object] = lambda: None,
) -> None:
    """Run the statements that *missing* returns, and *then*, under the lock, all or none. Nothing if there are none.

    Raises: *refusal*, where nothing may be made; MigrationLockedError.
    """
    if not missing():
        return
    if not make:
        raise refusal
    begin_locked(connection, timeout)
    for statement in missing():  # another process may have made it while this one waited
        connection.ask(statement)
    then()
    connection.commit()


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
