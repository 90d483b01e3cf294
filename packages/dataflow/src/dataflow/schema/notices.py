"""Makes tables tell who listens that they were written to, by whatever program (PostgreSQL).

Rule 1: a notice goes out with the commit of the write, or never; what it says is a table and, where records have one,
        the tenant of all that the statement wrote.
Rule 2: a statement trigger: one notice for a bulk, and equal ones of a transaction are one.
Rule 3: what cannot be made to tell (a view, somebody else's table) is not listened for: its answers are not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Final

from dataflow.ledger.spelling import literal, quoted
from dataflow.model import naming
from dataflow.model.spec import TENANT, ModelSpec
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.lock import begin_locked

PREFIX: Final = "dataflow_notice"
SEPARATOR: Final = "\x1f"  # in the list of tables; no name has it
# Statement kind -> the rows that it wrote, where a trigger of it has them.
_ROWS: Final = {
    "insert": ("REFERENCING NEW TABLE AS rows_", "rows_"),
    "update": (
        "REFERENCING OLD TABLE AS old_ NEW TABLE AS rows_",
        "(SELECT {0} FROM old_ UNION ALL SELECT {0} FROM rows_) AS both_",
    ),
    "delete": ("REFERENCING OLD TABLE AS rows_", "rows_"),
    "truncate": ("", ""),
}
_THERE: Final = (
    "SELECT c.relname, t.tgname FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgenabled <> 'D'"
    f" AND starts_with(t.tgname, '{PREFIX}_')"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    " AND c.relname = ANY(string_to_array(?, chr(31)))"
)


def install(connect: Connect, timeout: float, specs: Iterable[ModelSpec], *, make: bool) -> frozenset[str]:
    """Make what is missing, unless *make* is false; return the tables that tell. One question when all is there.

    timeout: seconds that another process's migration is waited for.

    Raises: MigrationLockedError; DatabaseUnavailableError.
    """
    wanted = {spec.table: spec for spec in specs}
    with connect() as connection:
        there = _there(connection, wanted)
        if make and any(_missing(wanted[table], names) for table, names in there.items()):
            begin_locked(connection, timeout)
            for table, names in _there(connection, wanted).items():
                for kind in _missing(wanted[table], names):
                    for statement in _statements(connection, wanted[table], kind, names):
                        connection.ask(statement)
            connection.commit()
            there = _there(connection, wanted)
        return frozenset(table for table, names in there.items() if not _missing(wanted[table], names))


def _there(connection: Connection, tables: Iterable[str]) -> dict[str, set[str]]:
    """Return ``{table: names of its triggers}`` of the tables that are no views."""
    found: dict[str, set[str]] = {}
    for table, trigger in connection.ask(_THERE, (SEPARATOR.join(tables),)):
        found.setdefault(str(table), set()).update([str(trigger)] if trigger is not None else [])
    return found


def _missing(spec: ModelSpec, names: Collection[str]) -> list[str]:
    return [kind for kind in _ROWS if name(spec, kind) not in names]


def name(spec: ModelSpec, kind: str) -> str:
    """Return the name of the trigger of statements of that *kind*; it changes whenever what it tells would."""
    digest = hashlib.sha256(repr((spec.table, _body(spec, kind))).encode()).hexdigest()[:16]
    return f"{PREFIX}_{kind}_{digest}"


def _statements(connection: Connection, spec: ModelSpec, kind: str, names: Collection[str]) -> Iterable[str]:
    schema = quoted(str(connection.ask("SELECT current_schema()")[0][0]))
    table, made = f"{schema}.{quoted(spec.table)}", name(spec, kind)
    for former in sorted(each for each in names if each.startswith(f"{PREFIX}_{kind}_")):
        yield f"DROP TRIGGER IF EXISTS {former} ON {table}"
        yield f"DROP FUNCTION IF EXISTS {schema}.{former}()"
    function = f"CREATE OR REPLACE FUNCTION {schema}.{made}() RETURNS trigger LANGUAGE plpgsql"
    yield f"{function} AS {literal(_body(spec, kind))}"
    rows = _ROWS[kind][0] if TENANT in spec.by_name else ""
    yield (
        f"CREATE TRIGGER {made} AFTER {kind.upper()} ON {table} {rows}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {schema}.{made}()"
    )


def _body(spec: ModelSpec, kind: str) -> str:
    rows = _ROWS[kind][1]
    if TENANT not in spec.by_name or not rows:
        return f" BEGIN PERFORM pg_notify({literal(naming.CHANGED)}, {literal(spec.table)}); RETURN NULL; END "
    column = quoted(spec.by_name[TENANT].stored_as)
    return (
        " DECLARE least_ text; most_ text; BEGIN"
        f" SELECT min({column}), max({column}) INTO least_, most_ FROM {rows.format(column)};"
        " IF least_ IS NULL THEN RETURN NULL; END IF;"
        f" PERFORM pg_notify({literal(naming.CHANGED)},"
        f" {literal(spec.table + naming.WHOSE)} || CASE WHEN least_ = most_ THEN least_ ELSE '' END);"
        " RETURN NULL; END "
    )
