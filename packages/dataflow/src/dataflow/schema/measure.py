"""What a plan must know of a live database besides its shape: how many records there are, and what hangs on a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from dataflow.schema.connection import Connection
from dataflow.schema.rules import identifier

COUNTED: Final = 200_000  # records; beyond it nobody counts: an estimate, or this number


class Hanging(msgspec.Struct, frozen=True):
    """An index or a trigger of a table of SQLite, as it was written."""

    name: str
    sql: str
    trigger: bool = False


class Facts(msgspec.Struct, frozen=True):
    """What was found."""

    rows: Mapping[str, int] = {}  # table -> records: exact up to `COUNTED`, an estimate beyond
    hanging: Mapping[str, tuple[Hanging, ...]] = {}  # SQLite: table -> its indexes and triggers
    bytes: Mapping[str, int] = {}  # PostgreSQL: table -> its size, without indexes


def measure(connection: Connection, names: Iterable[str]) -> Facts:
    """Return the facts of the tables *names*, which exist."""
    tables = sorted(set(names))
    if not tables:
        return Facts()
    if connection.dialect == "sqlite":
        rows = {name: _counted(connection, name) for name in tables}
        return Facts(rows, {name: _hanging(connection, name) for name in tables})
    found = connection.ask(
        "SELECT relname, reltuples::bigint, CASE WHEN relkind = 'r' THEN pg_relation_size(oid) ELSE 0 END FROM pg_class"
        " WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = ANY(?)",
        (tables,),
    )
    rows = {name: estimate if estimate > COUNTED else _counted(connection, name) for name, estimate, _ in found}
    return Facts(rows, bytes={name: size for name, _, size in found})


def _counted(connection: Connection, table: str) -> int:
    inner = f"SELECT 1 FROM {identifier(table)} LIMIT {COUNTED}"
    return int(connection.ask(f"SELECT count(*) FROM ({inner}) counted")[0][0])


def _hanging(connection: Connection, table: str) -> tuple[Hanging, ...]:
    found = connection.ask(
        "SELECT name, sql, type = 'trigger' FROM sqlite_master WHERE type IN ('index', 'trigger') AND tbl_name = ?"
        " AND sql IS NOT NULL ORDER BY type, name",
        (table,),
    )
    return tuple(Hanging(name, sql, bool(trigger)) for name, sql, trigger in found)
