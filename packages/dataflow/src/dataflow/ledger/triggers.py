"""The table of changes, and the triggers by which the tables of models tell it what was written to them."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from dataflow.ledger.spelling import literal, on_postgresql, on_sqlite, quoted
from dataflow.model.spec import ModelSpec

TABLE: Final = "dataflow_changes"
HEAD: Final = "dataflow_changes_head"
PREFIX: Final = "dataflow_tell"
SETTING: Final = "dataflow.told"  # transaction-local, PostgreSQL: the values of `TOLD` as an array of text
FUNCTION: Final = "dataflow_told"  # of a SQLite connection: one of the values of `TOLD`, by its place
TOLD: Final = ("at", "tenant", "actor", "channel", "request_id", "operation")  # what a write brings along, in order
COLUMNS: Final = ("model", "event", "record", "before", "after", "audited", *TOLD)

_BODY: Final = (
    "at {moment} NOT NULL, model TEXT NOT NULL, event TEXT NOT NULL, record TEXT NOT NULL, before TEXT, after TEXT,"
    " tenant TEXT, actor TEXT, channel TEXT, request_id TEXT, operation TEXT, audited BOOLEAN NOT NULL, link TEXT"
)
# link: what chains an audited change to the one before it. sequence: the place in the order of commits, which
# PostgreSQL's numbers are given later (`dataflow.ledger.order`) and SQLite's are from the beginning.
CREATE: Final = {
    "postgresql": (
        (
            f"CREATE TABLE IF NOT EXISTS {TABLE} (position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            f" sequence BIGINT, {_BODY.format(moment='TIMESTAMP WITH TIME ZONE')})"
        ),
        f"CREATE INDEX IF NOT EXISTS ix_{TABLE}_unnumbered ON {TABLE} (position) WHERE sequence IS NULL",
        f"CREATE INDEX IF NOT EXISTS ix_{TABLE}_sequence ON {TABLE} (sequence) WHERE sequence IS NOT NULL",
        f"CREATE INDEX IF NOT EXISTS ix_{TABLE}_record ON {TABLE} (model, record) WHERE audited",
        (
            f"CREATE TABLE IF NOT EXISTS {HEAD} (id INTEGER PRIMARY KEY, sequence BIGINT NOT NULL,"
            " sealed BIGINT NOT NULL, entries BIGINT NOT NULL, purged BIGINT NOT NULL,"
            " link TEXT NOT NULL, base TEXT NOT NULL)"
        ),
        f"INSERT INTO {HEAD} VALUES (1, 0, 0, 0, 0, '', '') ON CONFLICT DO NOTHING",
    ),
    "sqlite": (
        (
            f"CREATE TABLE IF NOT EXISTS {TABLE} (sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
            f" {_BODY.format(moment='TEXT')})"
        ),
        f"CREATE INDEX IF NOT EXISTS ix_{TABLE}_record ON {TABLE} (model, record) WHERE audited",
        (
            f"CREATE TABLE IF NOT EXISTS {HEAD} (id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL,"
            " sealed INTEGER NOT NULL, entries INTEGER NOT NULL, purged INTEGER NOT NULL,"
            " link TEXT NOT NULL, base TEXT NOT NULL)"
        ),
        f"INSERT OR IGNORE INTO {HEAD} VALUES (1, 0, 0, 0, 0, '', '')",
    ),
}


class Trigger(msgspec.Struct, frozen=True):
    """One trigger of a table: its name changes whenever what it tells would, and its statements make it."""

    name: str
    statements: tuple[str, ...]


def tenant_of(spec: ModelSpec, row: str, otherwise: str) -> str:
    """Return the expression of the tenant of a change: the record's own where it has one."""
    return f"{row}.{quoted('tenant_id')}" if "tenant_id" in spec.by_name else otherwise


# -- PostgreSQL ----------------------------------------------------------------------------------------------

_REFERENCING: Final = {
    "insert": "REFERENCING NEW TABLE AS new_",
    "update": "REFERENCING OLD TABLE AS old_ NEW TABLE AS new_",
    "delete": "REFERENCING OLD TABLE AS old_",
}


KINDS: Final = tuple(_REFERENCING)


def on_table(spec: ModelSpec, schema: str, kind: str, *, audited: bool, masked: frozenset[str]) -> Trigger:
    """Return the trigger of the table of *spec* for statements of that *kind* (PostgreSQL)."""
    body = _function(spec, schema, kind, audited=audited, masked=masked)
    digest = hashlib.sha256(f"{spec.table} {body}".encode()).hexdigest()[:16]
    name = f"{PREFIX}_{'a' if audited else 'f'}_{kind}_{digest}"
    function, table = f"{quoted(schema)}.{name}", f"{quoted(schema)}.{quoted(spec.table)}"
    return Trigger(
        name,
        (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {literal(body)}",
            (
                f"CREATE TRIGGER {name} AFTER {kind.upper()} ON {table} {_REFERENCING[kind]}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            ),
        ),
    )


def _function(spec: ModelSpec, schema: str, kind: str, *, audited: bool, masked: frozenset[str]) -> str:
    before, after = (on_postgresql(spec, row, masked) for row in ("old_", "new_"))
    row, event, source = {
        "insert": ("new_", "'create'", "new_"),
        "delete": ("old_", "'delete'", "old_"),
        # a changed id is a record that went and one that came
        "update": (
            "coalesce(new_.id, old_.id)",
            "CASE WHEN old_.id IS NULL THEN 'create' WHEN new_.id IS NULL THEN 'delete' ELSE 'update' END",
            (
                "old_ FULL JOIN new_ ON old_.id = new_.id"
                f" WHERE {_row(spec, 'old_')} IS DISTINCT FROM {_row(spec, 'new_')}"
            ),
        ),
    }[kind]
    if kind == "update":
        before = f"CASE WHEN old_.id IS NOT NULL THEN {before} END"
        after = f"CASE WHEN new_.id IS NOT NULL THEN {after} END"
        record, tenant = row, f"coalesce({tenant_of(spec, 'new_', 'told[2]')}, {tenant_of(spec, 'old_', 'told[2]')})"
    else:
        before, after = ("NULL", after) if kind == "insert" else (before, "NULL")
        record, tenant = f"{row}.id", tenant_of(spec, row, "told[2]")
    return (
        f" DECLARE told text[] := nullif(current_setting('{SETTING}', true), '')::text[];"
        " BEGIN"
        f" INSERT INTO {quoted(schema)}.{TABLE}"
        " (at, model, event, record, before, after, tenant, actor, channel, request_id, operation, audited)"
        f" SELECT coalesce(told[1]::timestamptz, clock_timestamp()), {literal(spec.name)}, {event}, ({record})::text,"
        f" {before}, {after}, {tenant}, coalesce(told[3], CASE WHEN told IS NULL THEN session_user::text END),"
        f" coalesce(told[4], 'sql'), told[5], coalesce(told[6], {literal(kind)}), {str(audited).lower()}"
        f" FROM {source};"
        " RETURN NULL; END "
    )


def _row(spec: ModelSpec, row: str) -> str:
    """Return the columns of a row, to be compared; JSON has no equality, JSONB has."""
    columns = [
        f"{row}.{quoted(field.name)}{'::jsonb' if field.python_type in (dict, list) else ''}" for field in spec.fields
    ]
    return f"ROW({', '.join(columns)})"


# -- SQLite --------------------------------------------------------------------------------------------------


def on_connections(spec: ModelSpec, *, audited: bool, masked: frozenset[str]) -> tuple[str, ...]:
    """Return the statements of the triggers that a connection makes for itself (SQLite)."""
    before, after = (on_sqlite(spec, row, masked) for row in ("OLD", "NEW"))
    told = [f"{FUNCTION}({at})" for at in range(len(TOLD))]

    def insert(event: str, row: str, before: str, after: str, *, condition: str = "") -> str:
        values = [literal(spec.name), event, f"CAST({row}.id AS TEXT)", before, after, str(int(audited))]
        values += [told[0], tenant_of(spec, row, told[1]), *told[2:]]
        return f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) SELECT {', '.join(values)}{condition};"

    same = "OLD.id IS NEW.id"
    changed = insert("'update'", "NEW", before, after, condition=f" WHERE {same} AND ({_differs(spec)})")
    went = insert("'delete'", "OLD", before, "NULL", condition=f" WHERE NOT ({same})")
    came = insert("'create'", "NEW", "NULL", after, condition=f" WHERE NOT ({same})")
    bodies = {
        "INSERT": insert("'create'", "NEW", "NULL", after),
        "UPDATE": f"{changed} {went} {came}",
        "DELETE": insert("'delete'", "OLD", before, "NULL"),
    }
    statements = []
    for kind, body in bodies.items():
        name = quoted(f"{PREFIX}_{spec.table}_{kind.lower()}")
        statements.append(f"DROP TRIGGER IF EXISTS temp.{name}")
        statements.append(f"CREATE TEMP TRIGGER {name} AFTER {kind} ON main.{quoted(spec.table)} BEGIN {body} END")
    return tuple(statements)


def _differs(spec: ModelSpec) -> str:
    return " OR ".join(f"OLD.{quoted(name)} IS NOT NEW.{quoted(name)}" for name in spec.by_name)
