"""What a plan must know of a live database besides its shape: how many records there are, and what hangs on a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from dataflow.schema.cascades import Edge
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
    pointing: tuple[Edge, ...] = ()  # the foreign keys of all tables, those that no model has among them


POINTING: Final = {
    "postgresql": "SELECT t.relname, array_agg(a.attname::text ORDER BY k.place), p.relname, f.confdeltype::text"
    " FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid,"
    " unnest(f.conkey) WITH ORDINALITY k(attnum, place), pg_attribute a"
    " WHERE f.contype = 'f' AND f.conparentid = 0 AND a.attrelid = f.conrelid AND a.attnum = k.attnum"
    " AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
    " AND p.relnamespace = t.relnamespace GROUP BY f.oid, 1, 3, 4 ORDER BY 1, 2",
    "sqlite": 'SELECT m.name, json_group_array(f."from"), f."table", f.on_delete'
    " FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
    " GROUP BY m.name, f.id ORDER BY 1, 2",
}
ACTIONS: Final = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def measure(connection: Connection, names: Iterable[str]) -> Facts:
    """Return the facts of the tables *names*, which exist."""
    tables = sorted(set(names))
    if not tables:
        return Facts()
    if connection.dialect == "sqlite":
        rows = {name: _counted(connection, name) for name in tables}
        return Facts(rows, {name: _hanging(connection, name) for name in tables}, pointing=_pointing(connection))
    found = connection.ask(
        "SELECT relname, reltuples::bigint, CASE WHEN relkind = 'r' THEN pg_relation_size(oid) ELSE 0 END FROM pg_class"
        " WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = ANY(?)",
        (tables,),
    )
    rows = {name: estimate if estimate > COUNTED else _counted(connection, name) for name, estimate, _ in found}
    return Facts(rows, bytes={name: size for name, _, size in found}, pointing=_pointing(connection))


def _pointing(connection: Connection) -> tuple[Edge, ...]:
    def listed(names: Any) -> tuple[str, ...]:
        return tuple(msgspec.json.decode(names) if isinstance(names, str) else names)

    rows = connection.ask(POINTING[connection.dialect])
    return tuple([Edge(table, listed(names), to, ACTIONS.get(deed, deed)) for table, names, to, deed in rows])


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
