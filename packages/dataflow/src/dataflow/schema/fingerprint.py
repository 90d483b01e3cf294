"""A digest of tables as the catalogue has them: one cheap query, so that a change by hand is noticed at start.

Rule: it changes whenever `dataflow.schema.diff` could answer differently; it may change more often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from dataflow.schema.connection import Connection

# Everything is read as the catalogue stores it: spelling it out would cost ten times as much, and sorting it twice.
POSTGRESQL: Final = """
WITH wanted AS (
  SELECT c.oid, c.relname, c.relkind FROM pg_class c
  WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND c.relname = ANY(?)
)
SELECT (SELECT count(*) FROM pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND c.relname = ?),
  count(*) || '.' || sum(hashtextextended(part, 0)::numeric) FROM (
  SELECT concat_ws(',', 't', relname, relkind) AS part FROM wanted
  UNION ALL
  SELECT concat_ws(',', 'c', w.relname, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity,
      a.attgenerated, a.attcollation)
    FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT concat_ws(',', 'd', w.relname, d.adnum, md5(d.adbin::text))
    FROM wanted w JOIN pg_attrdef d ON d.adrelid = w.oid
  UNION ALL
  SELECT concat_ws(',', 'i', w.relname, i.indexrelid, i.indisunique, i.indisprimary, i.indisvalid, i.indkey,
      md5(i.indexprs::text), md5(i.indpred::text))
    FROM wanted w JOIN pg_index i ON i.indrelid = w.oid
  UNION ALL
  SELECT concat_ws(',', 'k', w.relname, k.conname, k.contype, k.conkey, k.confrelid, k.confkey, k.confdeltype,
      md5(k.conbin::text))
    FROM wanted w JOIN pg_constraint k ON k.conrelid = w.oid AND k.contype IN ('f', 'c')
) parts
"""

SQLITE: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('table', 'view', 'index')"
    " AND tbl_name IN (SELECT value FROM json_each(?)) ORDER BY 1, 2"
)


def look(connection: Connection, names: Sequence[str], other: str) -> tuple[bool, str]:
    """Return whether the table *other* is there, and the digest of the tables *names*, by one question."""
    wanted = sorted(names)
    if connection.dialect == "postgresql":
        there, digest = connection.ask(POSTGRESQL, (wanted, other))[0]
        return bool(there), str(digest)
    rows = connection.ask(SQLITE, (msgspec.json.encode([*wanted, other]).decode(),))
    mine = [row for row in rows if row[2] != other]
    return len(mine) < len(rows), hashlib.md5(msgspec.json.encode(mine), usedforsecurity=False).hexdigest()


def fingerprint(connection: Connection, names: Sequence[str]) -> str:
    """Return the digest of the tables *names* with their indexes and constraints."""
    return look(connection, names, "")[1]
