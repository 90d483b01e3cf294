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
# Most of the time goes into planning it, which each table of the catalogue that it names adds to.
POSTGRESQL: Final = """
WITH wanted AS (
  SELECT oid, relname, relkind FROM pg_class
  WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = ANY(?)
)
SELECT count(*) || '.' || sum(hashtextextended(part, 0)::numeric) FROM (
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


def fingerprint(connection: Connection, names: Sequence[str]) -> str:
    """Return the digest of the tables *names* with their indexes and constraints."""
    if connection.dialect == "postgresql":
        return str(connection.ask(POSTGRESQL, (sorted(names),))[0][0])
    rows = connection.ask(SQLITE, (msgspec.json.encode(sorted(names)).decode(),))
    return hashlib.md5(msgspec.json.encode(rows), usedforsecurity=False).hexdigest()
