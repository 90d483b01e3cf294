"""For tests of programs that stand on dataflow: what a test writes is undone after it.

`isolated` undoes by a transaction, which costs next to nothing and covers what the test itself calls, blocking or under
asyncio. `Template` lets everything be committed, by whichever thread or server, and puts back what was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from dataflow.database import DataFlow
from dataflow.model import naming
from dataflow.model.relations import pointing
from dataflow.model.spec import ModelSpec
from dataflow.schema import ddl, session
from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from dataflow.schema.rules import identifier, quoted
from dataflow.schema.state import Table

PREFIX: Final = "dataflow_template_"  # of the tables that keep what is put back
LEDGER: Final = ("dataflow_changes", "dataflow_changes_head")  # told of by the models' tables, and so put back last
MAY_REPLICATE: Final = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"


@contextmanager
def isolated(db: DataFlow) -> Iterator[DataFlow]:
    """Undo at the end of the block whatever was written in it, by operations, workflows and transactions.

    It is one transaction, and a transaction inside it is a savepoint, under asyncio as well. The tables are made first,
    and stay. What other threads and processes do is not in it: see `Template`.
    """
    db.create_tables()
    with db.transaction_sync() as block:
        try:
            yield db
        finally:
            block.rollback()


class Template:
    """What the tables of a database's models hold at one moment, to be put back as often as one likes."""

    def __init__(self, db: DataFlow) -> None:
        """Make the tables, and copy what is in them beside them."""
        db.create_tables()
        self._db = db
        specs = [model.spec for model in db.models.stored]
        with db.connection() as connection:
            found = inspect(connection, [*[spec.table for spec in specs], *LEDGER]).tables
            self._tables = [found[name] for name in (*_parents_first(specs), *LEDGER) if name in found]
            for table in self._tables:
                connection.ask(f"DROP TABLE IF EXISTS {_kept(table)}")
                connection.ask(f"CREATE TABLE {_kept(table)} AS SELECT * FROM {identifier(table.name)}")
            self._statements = [*self._putting_back(connection)]

    def restore(self) -> None:
        """Put back what was there, in one transaction. Nothing else may be using the tables."""
        timeout = self._db.options.migration_lock_timeout
        with self._db.connection() as connection, session.transaction(connection, timeout):
            if connection.dialect == "postgresql":  # one round trip
                connection.ask("; ".join(self._statements))
            else:
                for statement in self._statements:
                    connection.ask(statement)
        if any(model.cache is not None for model in self._db.models):
            self._db.cache.clear()

    def drop(self) -> None:
        """Forget what was there."""
        with self._db.connection() as connection:
            for table in self._tables:
                connection.ask(f"DROP TABLE IF EXISTS {_kept(table)}")

    def _putting_back(self, connection: Connection) -> Iterator[str]:
        if connection.dialect == "postgresql" and connection.ask(MAY_REPLICATE)[0][0]:
            yield "SET LOCAL session_replication_role = replica"  # no trigger tells, and no key has a say
        told = [table for table in self._tables if table.name in LEDGER]
        kept = [table for table in self._tables if table.name not in LEDGER]
        yield from (f"DELETE FROM {identifier(table.name)}" for table in reversed(kept))
        for table in (*kept, *told):
            if table in told:  # of what has just been put back too
                yield f"DELETE FROM {identifier(table.name)}"
            names = ", ".join(identifier(column.name) for column in table.columns if column.generated is None)
            over = "OVERRIDING SYSTEM VALUE " if connection.dialect == "postgresql" else ""
            yield f"INSERT INTO {identifier(table.name)} ({names}) {over}SELECT {names} FROM {_kept(table)}"
            yield from _counted(connection, table)


def _kept(table: Table) -> str:
    return identifier(naming.fit(PREFIX + table.name))


def _counted(connection: Connection, table: Table) -> Iterator[str]:
    """Yield what lets the next id be the one after the highest."""
    if connection.dialect == "postgresql":
        yield from (ddl.count_on(table.name, column.name) for column in table.columns if column.identity)
    elif table.autoincrement:
        (key,) = table.primary_key
        highest = f"(SELECT coalesce(max({identifier(key)}), 0) FROM {identifier(table.name)})"
        yield f"UPDATE sqlite_sequence SET seq = {highest} WHERE name = {quoted(table.name)}"


def _parents_first(specs: Iterable[ModelSpec]) -> list[str]:
    """Return the names of the tables, each after those that its records point to, as far as there is such an order."""
    known = {spec.name: spec for spec in specs}
    keys = [edge for edge in pointing(known.values()) if edge.key is not None and edge.target != edge.model]
    every = {name: {edge.target for edge in keys if edge.model == name} for name in known}
    needed = {name: {edge.target for edge in keys if edge.model == name and not edge.nullable} for name in known}
    ordered: list[str] = []
    while len(ordered) < len(known):
        waiting, done = [name for name in known if name not in ordered], {*ordered}
        ready = [name for name in waiting if every[name] <= done]
        ordered += ready or ([name for name in waiting if needed[name] <= done] or waiting)[:1]
    return [known[name].table for name in ordered]
