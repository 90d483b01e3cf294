"""Change -> the SQL that makes it. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy import schema
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.ddl import sort_tables_and_constraints

from dataflow.schema.changes import Change, CreateIndex, CreateTable, DropIndex, DropTable


def statements(changes: Iterable[Change], metadata: sa.MetaData, dialect: Dialect) -> Iterator[str]:
    """Yield the statements, tables before those that point to them; circles are closed by foreign keys at the end."""
    wanted = list(changes)
    made = [metadata.tables[change.table] for change in wanted if isinstance(change, CreateTable)]
    for table, keys in sort_tables_and_constraints(made):  # type: ignore[no-untyped-call]  # untyped there
        if dialect.name == "sqlite":  # points to tables that are not there yet without complaint
            if table is not None:
                yield _text(schema.CreateTable(table), dialect)
        elif table is not None:
            yield _text(schema.CreateTable(table, include_foreign_key_constraints=list(keys)), dialect)
        else:
            yield from (_text(schema.AddConstraint(key), dialect) for key in keys)
    for change in wanted:
        if not isinstance(change, CreateTable):
            yield _statement(change, metadata, dialect)


def _statement(change: CreateIndex | DropIndex | DropTable, metadata: sa.MetaData, dialect: Dialect) -> str:
    table = metadata.tables[change.table]
    match change:
        case CreateIndex():
            return _text(schema.CreateIndex(_index(table, change.index)), dialect)
        case DropIndex():
            return _text(schema.DropIndex(_index(table, change.index)), dialect)
        case DropTable():
            return _text(schema.DropTable(table), dialect)
        case _:
            assert_never(change)


def _index(table: sa.Table, name: str) -> sa.Index:
    return next(index for index in table.indexes if index.name == name)


def _text(element: schema.ExecutableDDLElement, dialect: Dialect) -> str:
    return str(element.compile(dialect=dialect))


def of_dialect(name: str) -> Dialect:
    """Return SQLAlchemy's dialect for the text of DDL."""
    if name == "sqlite":
        from sqlalchemy.dialects.sqlite import pysqlite

        return pysqlite.dialect()
    from sqlalchemy.dialects.postgresql import psycopg2

    return psycopg2.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
