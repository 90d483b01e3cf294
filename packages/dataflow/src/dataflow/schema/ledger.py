"""Makes what the ledger of changes and the versions of records need: tables, and on PostgreSQL triggers.

Rule 1: a trigger that tells more than is asked for stays: another program of the same database asked for it.
Rule 2: records that were there before their versions were kept have one from the beginning on, made here.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from typing import Final

from dataflow.errors import SchemaMismatchError
from dataflow.ledger import keeping, triggers
from dataflow.ledger.keeping import Keeper
from dataflow.ledger.spelling import literal, quoted
from dataflow.ledger.telling import Ledger, Teller
from dataflow.ledger.triggers import Trigger
from dataflow.model import past
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.lock import begin_locked

_THERE: Final = {
    "postgresql": "SELECT c.relname, NULL FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
    f" AND (c.relname IN ('{triggers.TABLE}', '{triggers.HEAD}') OR starts_with(c.relname, '{past.PREFIX}'))"
    " AND c.relkind = 'r'"
    " UNION ALL SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    f" WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled <> 'D'"
    f" AND (starts_with(t.tgname, '{triggers.PREFIX}_') OR starts_with(t.tgname, '{keeping.PREFIX}_'))",
    "sqlite": f"SELECT name, NULL FROM sqlite_master WHERE type = 'table' AND (name IN ('{triggers.TABLE}',"
    f" '{triggers.HEAD}') OR substr(name, 1, {len(past.PREFIX)}) = '{past.PREFIX}')",
}

log = logging.getLogger("dataflow.schema")


def install(connect: Connect, timeout: float, tellers: Iterable[Teller], *, make: bool) -> None:
    """Make what is missing, or, where *make* is false, refuse to go on without it; two questions when all is there.

    timeout: seconds that another process's migration is waited for.

    Raises: SchemaMismatchError; MigrationLockedError; DatabaseUnavailableError.
    """
    wanted = [*tellers]
    with connect() as connection:
        if not _missing(connection, wanted):
            return
        if not make:
            raise SchemaMismatchError(
                "the database does not tell of the changes that audit, feed or history are asked for",
                hint="let auto_migrate=True make the triggers once, as the owner of the tables",
            )
        begin_locked(connection, timeout)
        for statement in _missing(connection, wanted):
            connection.ask(statement)
        for keeper in _waiting(connection, wanted):  # after the triggers, whose making lets nobody write till the end
            log.info("the history of %s begins", keeper.spec.name)
            connection.ask(keeper.begin(_now(connection)))
        connection.commit()


def _missing(connection: Connection, tellers: list[Teller]) -> list[str]:
    """Return the statements that make what is missing; one that does nothing where only a history is to begin."""
    there = connection.ask(_THERE[connection.dialect])
    tables = {str(name) for name, trigger in there if trigger is None}
    statements: list[str] = []
    for teller in tellers:
        if teller.keeper is not None and teller.keeper.table not in tables:
            raise _no_table(teller.keeper)
    if any(teller.told for teller in tellers) and not tables >= {triggers.TABLE, triggers.HEAD}:
        statements += triggers.CREATE[connection.dialect]
    if connection.dialect == "postgresql":
        schema = str(connection.ask("SELECT current_schema()")[0][0])
        names = {(str(table), str(trigger)) for table, trigger in there if trigger is not None}
        for teller in tellers:
            statements += _triggers(teller, schema, names)
    if not statements and _waiting(connection, tellers):
        statements.append("SELECT 1")
    return statements


def _triggers(teller: Teller, schema: str, names: set[tuple[str, str]]) -> list[str]:
    statements = []
    if teller.ledger is not None:
        known = {name for table, name in names if table == teller.ledger.spec.table}
        for kind in triggers.KINDS:
            statements += _of_kind(teller.ledger, schema, kind, {name for name in known if _tells(name)})
    if teller.keeper is not None:
        table = teller.keeper.spec.table
        known = {name for each, name in names if each == table and not _tells(name)}
        for kind, trigger in zip(triggers.KINDS, teller.keeper.on_table(schema), strict=True):
            statements += _replaced(table, kind, trigger, known)
    return statements


def _tells(name: str) -> bool:
    return name.startswith(f"{triggers.PREFIX}_")


def _of_kind(ledger: Ledger, schema: str, kind: str, known: set[str]) -> list[str]:
    wanted = triggers.on_table(ledger.spec, schema, kind, audited=ledger.audited, masked=ledger.masked)
    stricter = triggers.on_table(ledger.spec, schema, kind, audited=True, masked=ledger.masked)
    if stricter.name in known:
        return []
    former = any(name.startswith(f"{triggers.PREFIX}_a_{kind}_") for name in known)
    return _replaced(ledger.spec.table, kind, stricter if former else wanted, known)


def _replaced(table: str, kind: str, wanted: Trigger, known: set[str]) -> list[str]:
    """Return the statements that make *wanted* in the place of the others of that kind."""
    if wanted.name in known:
        return []
    dropped = [
        statement
        for name in sorted(name for name in known if f"_{kind}_" in name)
        for statement in (f"DROP TRIGGER IF EXISTS {name} ON {quoted(table)}", f"DROP FUNCTION IF EXISTS {name}()")
    ]
    return [*dropped, *wanted.statements]


def _waiting(connection: Connection, tellers: list[Teller]) -> list[Keeper]:
    """Return the keepers of tables that have records and no version of any, by one question."""
    keepers = {teller.keeper.spec.table: teller.keeper for teller in tellers if teller.keeper is not None}
    if not keepers:
        return []
    found = connection.ask(" UNION ALL ".join(keeper.waiting for keeper in keepers.values()))
    return [keepers[str(table)] for (table,) in found]


def _no_table(keeper: Keeper) -> SchemaMismatchError:
    return SchemaMismatchError(
        f"there is no table {keeper.table}, which keeps the versions of {keeper.spec.name}",
        hint="let auto_migrate=True or `dataflow migrate` make it, or set 'history': False in __dataflow__",
    )


def _now(connection: Connection) -> str:
    """Return the time as SQL: as PostgreSQL has it, or as SQLite's rows spell ours."""
    if connection.dialect == "postgresql":
        return "clock_timestamp()"
    return literal(dt.datetime.now(dt.UTC).isoformat(timespec="microseconds"))
