"""Live database -> `SchemaState`, by one query. Tables that are not asked for are not looked at.

The query answers with one row for each thing: its kind, its table, and a JSON object that is the value of
`dataflow.schema.state`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from dataflow.schema import sqlite_text
from dataflow.schema.connection import Connection
from dataflow.schema.state import Check, Column, ForeignKey, Index, SchemaState, Table

# Views and foreign tables count: a model may stand on one in a schema that is somebody else's.
POSTGRESQL: Final = """
WITH wanted AS (
  SELECT c.oid, c.relname AS name, c.relkind, c.relispartition FROM pg_class c
  WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (? OR c.relname = ANY(?))
)
SELECT 'table', w.name, 0, json_build_object(
    'name', w.name, 'columns', '[]'::json,
    'kind', CASE w.relkind WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
      WHEN 'f' THEN 'foreign table' ELSE 'table' END,
    'definition', CASE WHEN w.relkind IN ('v', 'm') THEN pg_get_viewdef(w.oid, true) END,
    'partitioned_by', CASE WHEN w.relkind = 'p' THEN pg_get_partkeydef(w.oid) END,
    'partition_of', CASE WHEN w.relispartition THEN (SELECT inhparent::regclass::text FROM pg_inherits
      WHERE inhrelid = w.oid) END,
    'comment', obj_description(w.oid, 'pg_class'))::text
  FROM wanted w
UNION ALL
SELECT 'column', w.name, a.attnum, json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull,
    'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
    'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
    'identity', a.attidentity <> '' OR (a.atthasdef AND EXISTS (SELECT FROM pg_depend p JOIN pg_class s
        ON s.oid = p.objid AND s.relkind = 'S' WHERE p.classid = 'pg_class'::regclass AND p.deptype = 'a'
        AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum)),
    'collation', (SELECT o.collname FROM pg_collation o JOIN pg_type t ON t.oid = a.atttypid
      WHERE o.oid = a.attcollation AND a.attcollation <> t.typcollation),
    'comment', col_description(w.oid, a.attnum))::text
  FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT CASE WHEN i.indisprimary THEN 'primary key' ELSE 'index' END, w.name, 0, json_build_object(
    'columns', (SELECT json_agg(coalesce(a.attname, pg_get_indexdef(i.indexrelid, k.place::int, true)) ORDER BY k.place)
      FROM unnest(i.indkey) WITH ORDINALITY k(attnum, place)
      LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
      WHERE k.place <= i.indnkeyatts),
    'unique', i.indisunique, 'name', c.relname, 'where', pg_get_expr(i.indpred, i.indrelid),
    'plain', i.indexprs IS NULL, 'method', m.amname, 'valid', i.indisvalid AND i.indisready,
    'constraint', EXISTS (SELECT FROM pg_constraint u WHERE u.conindid = i.indexrelid AND u.contype = 'u'),
    'definition', pg_get_indexdef(i.indexrelid))::text
  FROM wanted w JOIN pg_index i ON i.indrelid = w.oid JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_am m ON m.oid = c.relam
UNION ALL
SELECT 'foreign key', w.name, 0, json_build_object(
    'columns', (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k(attnum, place)
       JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
    'table', CASE WHEN n.nspname = current_schema() THEN t.relname ELSE n.nspname || '.' || t.relname END,
    'targets', (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k(attnum, place)
       JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum),
    'on_delete', actions.words[strpos('arcnd', f.confdeltype::text)],
    'on_update', actions.words[strpos('arcnd', f.confupdtype::text)], 'name', f.conname,
    'deferred', f.condeferred)::text
  FROM wanted w JOIN pg_constraint f ON f.conrelid = w.oid AND f.contype = 'f' AND f.conparentid = 0
  JOIN pg_class t ON t.oid = f.confrelid JOIN pg_namespace n ON n.oid = t.relnamespace,
  (SELECT ARRAY['NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT'] AS words) actions
UNION ALL
SELECT 'check', w.name, 0, json_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin, k.conrelid))::text
  FROM wanted w JOIN pg_constraint k ON k.conrelid = w.oid AND k.contype = 'c'
UNION ALL
SELECT 'enum', format_type(t.oid, NULL), 0,
    (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)::text
  FROM pg_type t WHERE t.typtype = 'e' AND t.oid IN (
    SELECT coalesce(nullif(y.typelem, 0), y.oid) FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid
    JOIN pg_type y ON y.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped)
ORDER BY 1, 2, 3
"""

SQLITE: Final = """
WITH wanted AS (
  SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    AND (? OR name IN (SELECT value FROM json_each(?)))
)
SELECT 'table', w.name, 0, json_object(
    'name', w.name, 'columns', json('[]'), 'definition', w.sql,
    'kind', CASE WHEN w.type = 'view' THEN 'view' WHEN w.sql LIKE 'create virtual%' THEN 'virtual table'
      ELSE 'table' END)
  FROM wanted w
UNION ALL
SELECT 'column', w.name, c.cid, json_object(
    'name', c.name, 'type', lower(c.type), 'nullable', json(iif(c."notnull" = 0 AND c.pk = 0, 'true', 'false')),
    'default', c.dflt_value,
    'identity', json(iif(c.pk = 1 AND lower(c.type) = 'integer'
      AND (SELECT max(pk) FROM pragma_table_info(w.name)) = 1, 'true', 'false')))
  FROM wanted w, pragma_table_xinfo(w.name) c WHERE c.hidden <> 1
UNION ALL
SELECT 'primary key', w.name, 0, json_object('columns', (SELECT json_group_array(k.name) FROM
    (SELECT name FROM pragma_table_info(w.name) WHERE pk > 0 ORDER BY pk) k))
  FROM wanted w WHERE w.type = 'table'
UNION ALL
SELECT 'index', w.name, 0, json_object(
    'columns', (SELECT json_group_array(coalesce(x.name, '(expression)')) FROM
      (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) x),
    'unique', json(iif(i."unique", 'true', 'false')), 'name', i.name,
    'where', iif(i.partial, substr(m.sql, instr(lower(m.sql), ' where ') + 7), NULL),
    'plain', json(iif(EXISTS (SELECT 1 FROM pragma_index_info(i.name) WHERE name IS NULL), 'false', 'true')),
    'constraint', json(iif(i.origin = 'u', 'true', 'false')), 'definition', m.sql)
  FROM wanted w, pragma_index_list(w.name) i LEFT JOIN sqlite_master m ON m.type = 'index' AND m.name = i.name
  WHERE i.origin <> 'pk'
UNION ALL
SELECT 'foreign key', w.name, f.id, json_object(
    'columns', (SELECT json_group_array(x."from") FROM
      (SELECT "from" FROM pragma_foreign_key_list(w.name) WHERE id = f.id ORDER BY seq) x),
    'targets', (SELECT json_group_array(coalesce(x."to",
        (SELECT name FROM pragma_table_info(f."table") WHERE pk = x.seq + 1))) FROM
      (SELECT "to", seq FROM pragma_foreign_key_list(w.name) WHERE id = f.id ORDER BY seq) x),
    'table', f."table", 'on_delete', f.on_delete, 'on_update', f.on_update)
  FROM wanted w, pragma_foreign_key_list(w.name) f WHERE f.seq = 0
ORDER BY 1, 2, 3
"""

_DECODERS: Final[dict[str, Any]] = {
    "table": msgspec.json.Decoder(Table),
    "column": msgspec.json.Decoder(Column),
    "primary key": msgspec.json.Decoder(Index),
    "index": msgspec.json.Decoder(Index),
    "foreign key": msgspec.json.Decoder(ForeignKey),
    "check": msgspec.json.Decoder(Check),
    "enum": msgspec.json.Decoder(tuple[str, ...]),
}


def inspect(connection: Connection, names: Iterable[str] | None = None) -> SchemaState:
    """Return those of the tables and views *names* that exist in the current schema; None: all of them."""
    every, wanted = names is None, sorted(names or ())
    given = msgspec.json.encode(wanted).decode() if connection.dialect == "sqlite" else wanted
    rows = connection.ask(SQLITE if connection.dialect == "sqlite" else POSTGRESQL, (every, given))
    parts: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    enums = {}
    for kind, name, _, text in rows:
        value = _DECODERS[kind].decode(text)
        if kind == "enum":
            enums[name] = value
        else:
            parts[name][kind].append(value)
    build = _sqlite_table if connection.dialect == "sqlite" else _table
    return SchemaState({name: build(found) for name, found in sorted(parts.items())}, enums)


def _table(found: dict[str, list[Any]]) -> Table:
    keys: list[Index] = found["primary key"]
    table: Table = found["table"][0]
    return replace(
        table,
        columns=tuple(found["column"]),
        primary_key=keys[0].columns if keys else (),
        primary_key_name=keys[0].name if keys else "",
        indexes=tuple(sorted((_index(each) for each in found["index"]), key=_index_order)),
        foreign_keys=tuple(sorted(found["foreign key"], key=lambda key: (key.meaning, key.name))),
        checks=tuple(sorted(found["check"], key=lambda check: (check.name, check.expression))),
    )


def _index(index: Index) -> Index:
    """An index of columns alone needs no text to be made again."""
    return replace(index, definition=None) if index.covers else index


def _index_order(index: Index) -> tuple[tuple[str, ...], bool, str]:
    return index.columns, index.unique, index.name


def _sqlite_table(found: dict[str, list[Any]]) -> Table:
    """Add what only the text of the table tells."""
    table = _table(found)
    if table.kind != "table":
        return table
    written = sqlite_text.read(table.definition or "")
    rowid = "WITHOUT ROWID" not in written.options
    columns = [
        replace(
            column,
            collation=written.collations.get(column.name),
            generated=written.generated.get(column.name),
            identity=column.identity and rowid,
        )
        for column in table.columns
    ]
    keys = [replace(key, name=written.key_names.get(key.columns, "")) for key in table.foreign_keys]
    return replace(
        table,
        columns=tuple(columns),
        primary_key_name=written.primary_key_name,
        foreign_keys=tuple(keys),
        checks=tuple(sorted(written.checks, key=lambda check: (check.name, check.expression))),
        autoincrement=written.autoincrement,
        options=written.options,
        definition=None,
    )
