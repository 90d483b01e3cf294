"""The table of changes, and the triggers by which the tables of models tell it what was written to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from dataflow.ledger import spelling
from dataflow.ledger.spelling import FUNCTION, NOW, OWN, literal, on_postgresql, on_sqlite, quoted
from dataflow.model.spec import TENANT, FieldSpec, ModelSpec

TABLE: Final = "dataflow_changes"
HEAD: Final = "dataflow_changes_head"
EVERYBODY: Final = "all_tenants"  # an event: no record changed by it, and no feed tells of it
PREFIX: Final = "dataflow_tell"
SETTING: Final = "dataflow.told"  # transaction-local, PostgreSQL: the values of `TOLD` as an array of text
TOLD: Final = ("at", "tenant", "actor", "channel", "request_id", "operation")  # what a write brings along, in order
QUIET: Final = len(TOLD)  # a further value: not null while a load is told of as a whole
COLUMNS: Final = ("model", "event", "record", "before", "after", "audited", *TOLD)

_BODY: Final = (
    "at {moment} NOT NULL, model TEXT NOT NULL, event TEXT NOT NULL, record TEXT NOT NULL, before TEXT, after TEXT,"
    " tenant TEXT, actor TEXT, channel TEXT, request_id TEXT, operation TEXT, audited BOOLEAN NOT NULL, link TEXT"
)
# link: what chains an audited change to the one before it. sequence: the place in the order of commits, which
# PostgreSQL's numbers are given later (`dataflow.ledger.order`) and SQLite's are from the beginning. There a change is
# found by its position only until it has one: one index serves both, and a primary key would be one more to write.
# Entries are found by their record once they are chained, many at a time: none of it is on the path of a write.
_RECORDS: Final = f"CREATE INDEX IF NOT EXISTS ix_{TABLE}_record ON {TABLE} (record) WHERE audited AND link IS NOT NULL"
CREATE: Final = {
    "postgresql": (
        (
            f"CREATE TABLE IF NOT EXISTS {TABLE} (position BIGINT GENERATED ALWAYS AS IDENTITY,"
            f" sequence BIGINT, {_BODY.format(moment='TIMESTAMP WITH TIME ZONE')})"
        ),
        f"CREATE INDEX IF NOT EXISTS ix_{TABLE}_place ON {TABLE} (sequence, position)",  # of those without number, too
        _RECORDS,
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
        _RECORDS,
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
    own = spec.by_name.get(TENANT)
    return otherwise if own is None else f"{row}.{quoted(own.stored_as)}"


def key_of(spec: ModelSpec, row: str) -> str:
    """Return the column of the id."""
    return f"{row}.{quoted(spec.by_name['id'].stored_as)}"


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
    return statement_trigger(f"{PREFIX}_{'a' if audited else 'f'}", spec.table, schema, kind, body)


def statement_trigger(prefix: str, of: str, schema: str, kind: str, body: str) -> Trigger:
    """Return the trigger of the table *of* that does *body*; its name is *prefix*, *kind* and a digest of these."""
    digest = hashlib.sha256(f"{of} {body}".encode()).hexdigest()[:16]
    name = f"{prefix}_{kind}_{digest}"
    function, table = f"{quoted(schema)}.{name}", f"{quoted(schema)}.{quoted(of)}"
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


_WHO: Final = "dataflow_told"  # the one variable: no column is called so
SAID: Final = {name: f"{_WHO}[{at}]" for at, name in enumerate(TOLD, 1)} | {"at": f"(SELECT {_WHO}[1]::timestamptz)"}
DECLARED: Final = (  # who writes; {kind}: of statement, where nobody says
    f" DECLARE {_WHO} text[] := nullif(current_setting('{SETTING}', true), '')::text[];"
    f" BEGIN IF {_WHO} IS NULL THEN"
    f" {_WHO} := ARRAY[clock_timestamp()::text, NULL, session_user::text, 'sql', NULL, {{kind}}]; END IF;"
)


# Of a change that nobody audits the tenant alone is asked for: reading all of an array takes 8 of the server's 45 us.
_TENANT: Final = f"(SELECT (nullif(current_setting('{SETTING}', true), '')::text[])[{TOLD.index('tenant') + 1}])"


def _function(spec: ModelSpec, schema: str, kind: str, *, audited: bool, masked: frozenset[str]) -> str:
    said = SAID["tenant"] if audited else _TENANT
    event, record, before, after, tenant, source = _told_on_postgresql(spec, kind, masked, said)
    who = TOLD[TOLD.index("tenant") + 1 :] if audited else ()
    return (
        f"{DECLARED.format(kind=literal(kind)) if audited else ' BEGIN'}"
        f" INSERT INTO {quoted(schema)}.{TABLE}"
        f" ({', '.join(['at, model, event, record, before, after, tenant, audited', *who])})"
        f" SELECT statement_timestamp(), {literal(spec.name)}, {event}, ({record})::text, {before}, {after}, {tenant},"
        f" {', '.join([str(audited).lower(), *[SAID[name] for name in who]])}"
        f" FROM {source};"
        " RETURN NULL; END "
    )


def _told_on_postgresql(spec: ModelSpec, kind: str, masked: frozenset[str], said: str) -> tuple[str, ...]:
    """Return the expressions of event, id, before, after and tenant, and where they come from.

    said: the expression of the tenant that the write has told.
    """
    if kind != "update":
        row, event = ("new_", "'create'") if kind == "insert" else ("old_", "'delete'")
        told = f"(SELECT {on_postgresql(spec, row, masked)} FROM {row}) AS {row}"
        record = f"row_to_json({row})::text"
        before, after = ("NULL", record) if kind == "insert" else (record, "NULL")
        # The tenant is of *told*, where columns have our names.
        tenant = f"{row}.{TENANT}" if TENANT in spec.by_name else said
        return event, f"{row}.id", before, after, tenant, told
    was, now = key_of(spec, "old_"), key_of(spec, "new_")
    changed = f"{row_of(spec.fields, 'old_')} IS DISTINCT FROM {row_of(spec.fields, 'new_')}"
    old, new = (
        f"CASE WHEN {key_of(spec, row)} IS NOT NULL THEN"
        f" (SELECT row_to_json(record_)::text FROM (SELECT {on_postgresql(spec, row, masked)}) AS record_) END"
        for row in ("old_", "new_")
    )
    return (
        f"CASE WHEN {was} IS NULL THEN 'create' WHEN {now} IS NULL THEN 'delete' ELSE 'update' END",
        f"coalesce({now}, {was})",
        old,
        new,
        f"coalesce({tenant_of(spec, 'new_', said)}, {tenant_of(spec, 'old_', said)})",
        # a changed id is a record that went and one that came
        f"old_ FULL JOIN new_ ON {was} = {now} WHERE {changed}",
    )


def row_of(fields: Iterable[FieldSpec], row: str) -> str:
    """Return the columns of a row, to be compared; JSON has no equality, JSONB has."""
    columns = [f"{row}.{quoted(field.stored_as)}{'::jsonb' if _is_json(field) else ''}" for field in fields]
    return f"ROW({', '.join(columns)})"


def _is_json(field: FieldSpec) -> bool:
    return field.python_type in (dict, list) and not field.encrypted and not field.column_type.endswith("[]")


# -- SQLite --------------------------------------------------------------------------------------------------


def on_connections(spec: ModelSpec, *, audited: bool, masked: frozenset[str]) -> tuple[str, ...]:
    """Return the statements of the triggers that a connection makes for itself (SQLite).

    Each is dropped and made, in turns.
    """
    said = {kind: _told_on_sqlite(spec, kind, _ASKED, audited=audited, masked=masked) for kind in KINDS}
    return tuple([each for kind in KINDS for each in row_trigger(PREFIX, spec, kind, *said[kind])])


def on_file(spec: ModelSpec, kind: str, *, audited: bool, masked: frozenset[str]) -> Trigger:
    """Return the trigger of the table of *spec* that tells what other programs write to it (SQLite)."""
    said = _told_on_sqlite(spec, kind, by_anybody(kind), audited=audited, masked=masked, anybody=True)
    return file_trigger(f"{PREFIX}_{'a' if audited else 'f'}", own(PREFIX, spec), spec, kind, *said)


def by_anybody(kind: str) -> tuple[str, ...]:
    """Return the expressions of the values of `TOLD` for SQL of other programs: nobody says who writes (SQLite)."""
    return NOW, "NULL", "NULL", "'sql'", "NULL", literal(kind)


def own(prefix: str, spec: ModelSpec) -> str:
    """Return what a trigger of the table asks a connection, which says so if it has triggers of its own (SQLite)."""
    return f"{prefix}_{spec.table}"


def _told_on_sqlite(
    spec: ModelSpec, kind: str, told: Sequence[str], *, audited: bool, masked: frozenset[str], anybody: bool = False
) -> tuple[str, str]:
    """Return when a row is told of, and the statements that tell."""

    def insert(event: str, row: str, *records: str) -> str:
        spell = spelling.by_anybody if anybody else on_sqlite
        spelled = [spell(spec, each, masked) if each else "NULL" for each in records]
        return _insert(spec, literal(event), row, spelled, audited=audited, told=told)

    if kind == "insert":
        return "", f"{insert('create', 'NEW', '', 'NEW')};"
    went = insert("delete", "OLD", "OLD", "")
    if kind == "delete":
        return "", f"{went};"
    changed, came = insert("update", "NEW", "OLD", "NEW"), insert("create", "NEW", "", "NEW")
    same = alike([spec.by_name["id"]], anybody=anybody)
    return (
        f" AND NOT ({alike(spec.fields, anybody=anybody)})",
        f"{changed} WHERE {same}; {went} WHERE NOT ({same}); {came} WHERE NOT ({same});",
    )


def alike(fields: Iterable[FieldSpec], *, anybody: bool) -> str:
    """Return the condition that all of these columns are as they were (SQLite).

    anybody: a column may have a collation that other programs do not know.
    """
    collated = " COLLATE BINARY" if anybody else ""
    columns = [quoted(field.stored_as) for field in fields]
    return " AND ".join(f"OLD.{column}{collated} IS NEW.{column}" for column in columns)


def file_trigger(prefix: str, asked: str, spec: ModelSpec, kind: str, condition: str, body: str) -> Trigger:
    """Return the trigger of the table of *spec* that does *body* for each row, whoever writes (SQLite).

    asked: by what a connection says that it does so itself. The name is *prefix*, *kind* and a digest of the rest.
    """
    does = f"ON {quoted(spec.table)} WHEN NOT {OWN}({literal(asked)}){condition} BEGIN {body} END"
    name = f"{prefix}_{kind}_{hashlib.sha256(does.encode()).hexdigest()[:16]}"
    return Trigger(name, (f"CREATE TRIGGER {name} AFTER {kind.upper()} {does}",))


def row_trigger(prefix: str, spec: ModelSpec, kind: str, condition: str, body: str) -> tuple[str, str]:
    """Return the statements that make a trigger of a connection, which does *body* for each row (SQLite)."""
    when = f"WHEN {FUNCTION}({QUIET}) IS NULL{condition}"
    name = quoted(f"{prefix}_{spec.table}_{kind}")
    made = f"CREATE TEMP TRIGGER {name} AFTER {kind.upper()} ON main.{quoted(spec.table)} {when} BEGIN {body} END"
    return f"DROP TRIGGER IF EXISTS temp.{name}", made


def of_load(spec: ModelSpec, *, audited: bool, masked: frozenset[str]) -> str:
    """Return the statement that tells of all records that one load has stored: those after the row number ``?7``.

    ``?1`` to ``?6`` are the values of `TOLD`. For many rows it costs half of what a trigger does.
    """
    told = [f"?{at + 1}" for at in range(len(TOLD))]
    insert = _insert(spec, "'create'", "new_", ["NULL", on_sqlite(spec, "new_", masked)], audited=audited, told=told)
    return f"{insert} FROM main.{quoted(spec.table)} AS new_ WHERE new_.rowid > ?7 ORDER BY new_.rowid"


_ASKED: Final = tuple([f"{FUNCTION}({at})" for at in range(len(TOLD))])


def _insert(
    spec: ModelSpec, event: str, row: str, records: Sequence[str], *, audited: bool, told: Sequence[str]
) -> str:
    """Return the statement that writes a change, as far as where it comes from."""
    values = [literal(spec.name), event, f"coalesce({key_of(spec, row)}, '')", *records, str(int(audited))]
    values += [told[0], tenant_of(spec, row, told[1]), *(told[2:] if audited else ())]
    return f"INSERT INTO {TABLE} ({', '.join(COLUMNS[: len(values)])}) SELECT {', '.join(values)}"
