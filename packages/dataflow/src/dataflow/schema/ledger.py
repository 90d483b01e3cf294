"""Makes what the ledger of changes and the versions of records need: tables, and triggers of the tables.

Rule 1: a trigger that tells more than is asked for stays: another program of the same database asked for it.
Rule 2: a file of SQLite has triggers of its own where what other programs write is asked for. They stay as well, and
        follow the model when whoever has it told of migrates.
Rule 3: records that were there before their versions were kept have one from the beginning on, made here.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from typing import Final

from dataflow.errors import SchemaMismatchError
from dataflow.ledger import keeping, looking, triggers
from dataflow.ledger.keeping import Keeper
from dataflow.ledger.looking import Sight
from dataflow.ledger.spelling import literal, quoted
from dataflow.ledger.telling import Ledger, Teller
from dataflow.ledger.triggers import Trigger
from dataflow.model import past
from dataflow.options import POLLING, TRIGGERS
from dataflow.schema.changes import Change, DropColumn, DropTable, RenameTable
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.lock import supply

_OURS: Final = f"(instr(name, '{triggers.PREFIX}_') = 1 OR instr(name, '{keeping.PREFIX}_') = 1)"
_THERE: Final = {
    "postgresql": "SELECT c.relname, NULL FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
    f" AND (c.relname IN ('{triggers.TABLE}', '{triggers.HEAD}') OR starts_with(c.relname, '{past.PREFIX}'))"
    " AND c.relkind = 'r'"
    " UNION ALL SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    f" WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled <> 'D'"
    f" AND (starts_with(t.tgname, '{triggers.PREFIX}_') OR starts_with(t.tgname, '{keeping.PREFIX}_'))",
    "sqlite": f"SELECT name, NULL FROM sqlite_master WHERE type = 'table' AND (name IN ('{triggers.TABLE}',"
    f" '{triggers.HEAD}') OR substr(name, 1, {len(past.PREFIX)}) = '{past.PREFIX}')"
    " UNION ALL SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    f" AND {_OURS}",
}

_WHO: Final = (f"{triggers.PREFIX}_a_", f"{keeping.PREFIX}_")  # triggers that ask who writes

_LOOKING: Final = {
    "postgresql": "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    f" AND relname IN ('{looking.SEEN}', '{looking.LOOKS}')",
    "sqlite": f"SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('{looking.SEEN}', '{looking.LOOKS}')",
}

log = logging.getLogger("dataflow.schema")


def install(connect: Connect, timeout: float, tellers: Iterable[Teller], *, make: bool, method: str | None) -> None:
    """Make what is missing, or, where *make* is false, refuse to go on without it; two questions when all is there.

    method: `TRIGGERS` tell what other programs write to a file of SQLite, as they always do on PostgreSQL; for
    `POLLING` the tables are seen as they are when that is asked for first.
    timeout: seconds that another process's migration is waited for.

    Raises: SchemaMismatchError; MigrationLockedError; DatabaseUnavailableError.
    """
    wanted, anybody = [*tellers], method == TRIGGERS
    with connect() as connection:
        sights = _sights(connection, wanted) if method == POLLING else []

        def begin() -> None:
            """After the triggers, whose making lets nobody write to the end."""
            for keeper in _waiting(connection, wanted):
                log.info("the history of %s begins", keeper.spec.name)
                connection.ask(keeper.begin(_now(connection)))

        refusal = SchemaMismatchError(
            "the database does not tell of the changes that audit, feed or history are asked for",
            hint="let auto_migrate=True make the triggers once, as the owner of the tables",
        )

        def missing() -> list[str]:
            return [*_missing(connection, wanted, anybody=anybody, make=make), *_unseen(connection, sights)]

        supply(connection, timeout, missing, make=make, refusal=refusal, then=begin)


def _sights(connection: Connection, tellers: list[Teller]) -> list[Sight]:
    ledgers = [teller.ledger for teller in tellers if teller.ledger is not None]
    return [Sight(ledger, connection.dialect) for ledger in ledgers]


def _unseen(connection: Connection, sights: list[Sight]) -> list[str]:
    """Return the statements that take what is in the tables for seen which were never looked at."""
    if not sights:
        return []
    if len(connection.ask(_LOOKING[connection.dialect])) < 2:
        return [*looking.CREATE, *[statement for sight in sights for statement in sight.begin]]
    return [statement for sight in sights if not connection.ask(sight.known) for statement in sight.begin]


def _missing(connection: Connection, tellers: list[Teller], *, anybody: bool, make: bool) -> list[str]:
    """Return the statements that make what is missing; one that does nothing where only a history is to begin.

    make: triggers that another program asked of a file of SQLite follow the models as well.
    """
    there = connection.ask(_THERE[connection.dialect])
    tables = {str(name) for name, trigger in there if trigger is None}
    statements: list[str] = []
    for teller in tellers:
        if teller.keeper is not None and teller.keeper.table not in tables:
            raise _no_table(teller.keeper)
    if any(teller.told for teller in tellers) and not tables >= {triggers.TABLE, triggers.HEAD}:
        statements += triggers.CREATE[connection.dialect]
    names = {(str(table), str(trigger)) for table, trigger in there if trigger is not None}
    schema = None if connection.dialect == "sqlite" else str(connection.ask("SELECT current_schema()")[0][0])
    tables_told = {table for table, _ in names} if make else set()
    for teller in tellers:
        if schema is not None or anybody or teller.table in tables_told:
            statements += _triggers(teller, schema, names)
    if not statements and _waiting(connection, tellers):
        statements.append("SELECT 1")
    return statements


def _triggers(teller: Teller, schema: str | None, names: set[tuple[str, str]]) -> list[str]:
    """Return the statements that make what is missing; *teller* learns whether one that is there asks who writes."""
    statements = []
    if teller.ledger is not None:
        known = {name for table, name in names if table == teller.ledger.spec.table}
        teller.asks_who |= any(name.startswith(_WHO) for name in known)  # another program's, if not its own
        for kind in triggers.KINDS:
            statements += _of_kind(teller.ledger, schema, kind, {name for name in known if _tells(name)})
    if teller.keeper is not None:
        table = teller.keeper.spec.table
        known = {name for each, name in names if each == table and not _tells(name)}
        made = teller.keeper.on_file() if schema is None else teller.keeper.on_table(schema)
        for kind, trigger in zip(triggers.KINDS, made, strict=True):
            statements += _replaced(table, schema, kind, trigger, known)
    return statements


def _tells(name: str) -> bool:
    return name.startswith(f"{triggers.PREFIX}_")


def _of_kind(ledger: Ledger, schema: str | None, kind: str, known: set[str]) -> list[str]:
    wanted, stricter = (
        triggers.on_file(ledger.spec, kind, audited=audited, masked=ledger.masked)
        if schema is None
        else triggers.on_table(ledger.spec, schema, kind, audited=audited, masked=ledger.masked)
        for audited in (ledger.audited, True)
    )
    if stricter.name in known:
        return []
    former = any(name.startswith(f"{triggers.PREFIX}_a_{kind}_") for name in known)
    return _replaced(ledger.spec.table, schema, kind, stricter if former else wanted, known)


def _replaced(table: str, schema: str | None, kind: str, wanted: Trigger, known: set[str]) -> list[str]:
    """Return the statements that make *wanted* in the place of the others of that kind."""
    if wanted.name in known:
        return []
    former = sorted(name for name in known if f"_{kind}_" in name)
    if schema is None:
        return [*[f"DROP TRIGGER IF EXISTS {name}" for name in former], *wanted.statements]
    dropped = [
        statement
        for name in former
        for statement in (f"DROP TRIGGER IF EXISTS {name} ON {quoted(table)}", f"DROP FUNCTION IF EXISTS {name}()")
    ]
    return [*dropped, *wanted.statements]


def let_go(connection: Connection, changes: Iterable[Change]) -> None:
    """Drop the triggers of a file of SQLite that name what has gone by *changes*: they would refuse every write.

    Whoever has the model told of makes them again (`install`).
    """
    for change in changes:
        match change:
            case DropColumn():
                table, lost = change.table, quoted(change.column.name)
            case DropTable():
                table, lost = change.table.name, f"INSERT INTO {quoted(change.table.name)}"
            case RenameTable():
                table, lost = change.new, f"INSERT INTO {quoted(change.old)}"
            case _:
                continue
        for (name,) in connection.ask(_LOST, (lost, isinstance(change, DropColumn), table)):
            connection.ask(f"DROP TRIGGER {name}")


_LOST: Final = (
    f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND {_OURS} AND instr(sql, ?) > 0"
    " AND (NOT ? OR tbl_name = ?)"
)


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
