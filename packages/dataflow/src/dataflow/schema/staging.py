"""PostgreSQL: a copy of some tables in a schema of its own, with a sample of their records.

Rule: whoever made a copy holds a lock of its name; a copy whose lock is free belongs to nobody, and is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from dataflow.schema import ddl
from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from dataflow.schema.rules import identifier
from dataflow.schema.state import Index, Table

PREFIX: Final = "dataflow_rehearsal_"


@contextmanager
def held(connection: Connection, name: str) -> Iterator[None]:
    """Make the schema *name*, and remove it at the end."""
    connection.ask("SELECT pg_advisory_lock(hashtext(?))", (name,))
    try:
        connection.ask(f"CREATE SCHEMA {identifier(name)}")
        yield
    finally:
        connection.ask(f"DROP SCHEMA IF EXISTS {identifier(name)} CASCADE")
        connection.ask("SELECT pg_advisory_unlock(hashtext(?))", (name,))


def remove_dead(connection: Connection) -> None:
    """Remove the copies whose makers have ended."""
    for (name,) in connection.ask("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, ?)", (PREFIX,)):
        if connection.ask("SELECT pg_try_advisory_lock(hashtext(?))", (name,))[0][0]:
            connection.ask(f"DROP SCHEMA IF EXISTS {identifier(name)} CASCADE")
            connection.ask("SELECT pg_advisory_unlock(hashtext(?))", (name,))


def copy(connection: Connection, names: Iterable[str], name: str, sample: int) -> int:
    """Copy those of the tables *names* that there are; return how many records, *sample* of each table at most."""
    state = inspect(connection, names)
    tables = [table for table in state.tables.values() if table.writable]
    original = str(connection.ask("SELECT current_schema()")[0][0])
    copied = 0
    for table in tables:
        copied += _copy(connection, table, original, name, sample)
    connection.ask(f"SET search_path = {identifier(name)}, {identifier(original)}")
    try:
        for table in tables:
            for column in table.columns:
                if column.identity:
                    connection.ask(ddl.count_on(table.name, column.name))
            for index in table.indexes:
                if index.valid:
                    connection.ask(_index(table.name, index))
            for key in table.foreign_keys:  # the sample may leave out what its records point to
                connection.ask(f"ALTER TABLE {identifier(table.name)} ADD {ddl.foreign_key(key)} NOT VALID")
    finally:
        connection.ask(f"SET search_path = {identifier(original)}")
    return copied


def _index(table: str, index: Index) -> str:
    """Return the CREATE INDEX of *index* without the schema, which PostgreSQL's own text of it names."""
    if index.definition is None:
        return ddl.create_index(table, index)
    unique, rest = "UNIQUE " if index.unique else "", index.definition.partition(" USING ")[2]
    return f"CREATE {unique}INDEX {identifier(index.name)} ON {identifier(table)} USING {rest}"


def _copy(connection: Connection, table: Table, original: str, name: str, sample: int) -> int:
    plain = replace(table, foreign_keys=(), kind="table")
    made = ddl.create_table(plain, "postgresql").replace("CREATE TABLE ", f"CREATE TABLE {identifier(name)}.", 1)
    connection.ask(made)
    columns = ", ".join(identifier(column.name) for column in table.columns if column.generated is None)
    connection.ask(
        f"INSERT INTO {identifier(name)}.{identifier(table.name)} ({columns}) SELECT {columns}"
        f" FROM {identifier(original)}.{identifier(table.name)} LIMIT {sample}"
    )
    found = connection.ask(f"SELECT count(*) FROM {identifier(name)}.{identifier(table.name)}")
    return int(found[0][0])


def counted(connection: Connection, names: Iterable[str]) -> list[int]:
    """Return how many records there are in those of the tables *names* that exist."""
    there = inspect(connection, names).tables
    return [int(connection.ask(f"SELECT count(*) FROM {identifier(name)}")[0][0]) for name in there]
