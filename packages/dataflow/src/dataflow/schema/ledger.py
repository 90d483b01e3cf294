"""Makes what the ledger of changes needs: its tables, and on PostgreSQL the triggers of the models' tables.

Rule: a trigger that tells more than is asked for stays: another program of the same database asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dataflow.errors import SchemaMismatchError
from dataflow.ledger import triggers
from dataflow.ledger.spelling import quoted
from dataflow.ledger.telling import Teller
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.lock import begin_locked

_THERE: Final = {
    "postgresql": "SELECT c.relname, NULL FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
    f" AND c.relname IN ('{triggers.TABLE}', '{triggers.HEAD}') AND c.relkind = 'r'"
    " UNION ALL SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    f" WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled <> 'D'"
    f" AND starts_with(t.tgname, '{triggers.PREFIX}_')",
    "sqlite": "SELECT name, NULL FROM sqlite_master WHERE type = 'table'"
    f" AND name IN ('{triggers.TABLE}', '{triggers.HEAD}')",
}


def install(connect: Connect, timeout: float, tellers: Iterable[Teller], *, make: bool) -> None:
    """Make what is missing, or, where *make* is false, refuse to go on without it; one question when all is there.

    timeout: seconds that another process's migration is waited for.

    Raises: SchemaMismatchError; MigrationLockedError; DatabaseUnavailableError.
    """
    wanted = [*tellers]
    with connect() as connection:
        if not _missing(connection, wanted):
            return
        if not make:
            raise SchemaMismatchError(
                "the database does not tell of the changes that audit or feed are asked for",
                hint="let auto_migrate=True make the triggers once, as the owner of the tables",
            )
        begin_locked(connection, timeout)
        for statement in _missing(connection, wanted):
            connection.ask(statement)
        connection.commit()


def _missing(connection: Connection, tellers: list[Teller]) -> list[str]:
    """Return the statements that make what is missing."""
    there = connection.ask(_THERE[connection.dialect])
    tables = {str(name) for name, trigger in there if trigger is None}
    statements = [] if tables == {triggers.TABLE, triggers.HEAD} else [*triggers.CREATE[connection.dialect]]
    if connection.dialect == "sqlite":
        return statements
    schema = str(connection.ask("SELECT current_schema()")[0][0])
    names = {(str(table), str(trigger)) for table, trigger in there if trigger is not None}
    for teller in tellers:
        known = {name for table, name in names if table == teller.spec.table}
        statements += [each for kind in triggers.KINDS for each in _of_kind(teller, schema, kind, known)]
    return statements


def _of_kind(teller: Teller, schema: str, kind: str, known: set[str]) -> list[str]:
    wanted = triggers.on_table(teller.spec, schema, kind, audited=teller.audited, masked=teller.masked)
    stricter = triggers.on_table(teller.spec, schema, kind, audited=True, masked=teller.masked)
    if {wanted.name, stricter.name} & known:
        return []
    former = sorted(name for name in known if f"_{kind}_" in name)
    made = stricter if any(name.startswith(f"{triggers.PREFIX}_a_") for name in former) else wanted
    dropped = [
        statement
        for name in former
        for statement in (
            f"DROP TRIGGER IF EXISTS {name} ON {quoted(teller.spec.table)}",
            f"DROP FUNCTION IF EXISTS {name}()",
        )
    ]
    return [*dropped, *made.statements]
