"""Live database -> `SchemaState`, by one query. Tables that are not asked for are not looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from dataflow.schema.connection import Connection
from dataflow.schema.state import Column, ForeignKey, Index, SchemaState, Table

# One row for each column, key, index and foreign key: kind, table, name, and what follows depends on the kind.
# Views and foreign tables count: a model may stand on one in a schema that is somebody else's.
POSTGRESQL: Final = """
WITH wanted AS (
  SELECT c.oid, c.relname FROM pg_class c
  WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY(?)
), keys AS (
  SELECT i.indrelid, i.indexrelid, i.indisunique, i.indisprimary,
    (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k(attnum, place)
       LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE k.place <= i.indnkeyatts) AS columns
  FROM pg_index i WHERE i.indrelid IN (SELECT oid FROM wanted) AND i.indisvalid AND i.indpred IS NULL
)
SELECT 'column', w.relname, a.attname, format_type(a.atttypid, a.atttypmod), (NOT a.attnotnull)::text,
    (a.atthasdef OR a.attidentity <> '')::text, a.attnum
  FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT CASE WHEN k.indisprimary THEN 'primary key' ELSE 'index' END, w.relname, c.relname, k.columns::text,
    k.indisunique::text, '', 0
  FROM wanted w JOIN keys k ON k.indrelid = w.oid JOIN pg_class c ON c.oid = k.indexrelid
UNION ALL
SELECT 'foreign key', w.relname, t.relname,
    (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k(attnum, place)
       JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum)::text,
    (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k(attnum, place)
       JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum)::text,
    CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL'
      WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END, 0
  FROM wanted w JOIN pg_constraint f ON f.conrelid = w.oid AND f.contype = 'f' JOIN pg_class t ON t.oid = f.confrelid
ORDER BY 1, 2, 7, 3
"""

SQLITE: Final = """
WITH wanted AS (
  SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name IN (SELECT value FROM json_each(?))
)
SELECT 'column', w.name, c.name, lower(c.type), c."notnull" = 0 AND c.pk = 0,
    c.dflt_value IS NOT NULL OR (c.pk = 1 AND lower(c.type) = 'integer'), c.pk
  FROM wanted w, pragma_table_info(w.name) c
UNION ALL
SELECT 'index', w.name, i.name,
    (SELECT json_group_array(x.name) FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) x),
    i."unique", i.origin, 0
  FROM wanted w, pragma_index_list(w.name) i WHERE i.partial = 0
UNION ALL
SELECT 'foreign key', w.name, f."table", json_array(f."from"), json_array(f."to"), f.on_delete, 0
  FROM wanted w, pragma_foreign_key_list(w.name) f
"""


def inspect(connection: Connection, names: Iterable[str]) -> SchemaState:
    """Return those of the tables *names* that exist."""
    wanted = sorted(names)
    if connection.dialect == "sqlite":
        rows = connection.ask(SQLITE, (msgspec.json.encode(wanted).decode(),))
    else:
        rows = connection.ask(POSTGRESQL, (wanted,))
    parts: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for kind, table, *rest in rows:
        parts[table][kind].append(rest)
    return SchemaState({name: _table(name, found) for name, found in parts.items()})


def _table(name: str, found: dict[str, list[Any]]) -> Table:
    columns = [Column(each, kind, _truth(null), _truth(filled)) for each, kind, null, filled, _ in found["column"]]
    places = {place: each for each, *_, place in found["column"] if place}  # SQLite: place in the primary key
    primary_key = [column for _, columns, *_ in found["primary key"] for column in _names(columns)]
    indexes = [(each, _names(names), _truth(unique)) for each, names, unique, *_ in found["index"]]
    keys = [
        ForeignKey(_names(own), table, _names(targets), action)
        for table, own, targets, action, _ in found["foreign key"]
    ]
    by_place = tuple(places[place] for place in sorted(places)) if not found["primary key"] else ()
    return Table(
        name,
        tuple(columns),
        tuple(primary_key) or (by_place if not _is_postgres(found) else ()),
        tuple(sorted(Index(names, unique, index) for index, names, unique in indexes if all(names))),
        tuple(sorted(keys)),
    )


def _is_postgres(found: dict[str, list[Any]]) -> bool:
    """Only PostgreSQL gives its truths as text."""
    return any(isinstance(row[2], str) for row in found["column"])


def _truth(value: Any) -> bool:
    return value in (1, "true", "t")


def _names(text: str) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(text, type=list[str | None]))  # None: an expression
