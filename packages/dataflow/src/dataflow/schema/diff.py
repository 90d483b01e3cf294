"""What is there against what is wanted: what to make, and what differs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dataflow.schema.changes import Change, CreateIndex, CreateTable
from dataflow.schema.state import Column, Dialect, SchemaState, Table

_LENGTH: Final = re.compile(r"character varying(?:\((\d+)\))?$")


def missing(have: SchemaState, want: SchemaState) -> tuple[Change, ...]:
    """Return what must be made, tables first, in the order of *want*."""
    tables = [CreateTable(name) for name in want.tables if name not in have.tables]
    return (*tables, *_missing_indexes(have, want))


def _missing_indexes(have: SchemaState, want: SchemaState) -> Iterator[CreateIndex]:
    for name, table in want.tables.items():
        there = {index.covers for index in have.tables[name].indexes} if name in have.tables else set()
        for index in table.indexes:
            if (index.columns, index.unique) not in there and (index.columns, True) not in there:
                yield CreateIndex(name, index.name)


def differences(have: SchemaState, want: SchemaState, dialect: Dialect) -> list[str]:
    """Return, in sentences, how tables that exist differ from what is wanted in ways that could give wrong answers.

    More than is wanted is fine: other tables, other columns (if an INSERT may leave them out), other indexes.
    """
    found = []
    for name, table in want.tables.items():
        if name in have.tables:
            found += [f"{name}: {sentence}" for sentence in _table(have.tables[name], table, dialect)]
    return found


def _table(have: Table, want: Table, dialect: Dialect) -> Iterator[str]:
    there, wanted = have.by_name, want.by_name
    for column in want.columns:
        if column.name not in there:
            yield f"column {column.name} is missing"
        else:
            yield from _column(there[column.name], column, dialect)
    for column in have.columns:
        if column.name not in wanted and not column.nullable and not column.filled:
            yield f"column {column.name} is not in the model, may not be null and has no default"
    if have.primary_key != want.primary_key:
        yield f"the primary key is {_listed(have.primary_key)}, not {_listed(want.primary_key)}"
    keys = {key.meaning for key in have.foreign_keys}
    for key in want.foreign_keys:
        if key.meaning not in keys:
            yield (
                f"there is no foreign key from {_listed(key.columns)} to {key.table} ({_listed(key.targets)})"
                f" that on delete does {key.on_delete}"
            )


def _column(have: Column, want: Column, dialect: Dialect) -> Iterator[str]:
    if not _fits(have.type, want.type, dialect):
        yield f"column {have.name} is {have.type or 'of no type'}, not {want.type}"
    if want.nullable and not have.nullable:
        yield f"column {have.name} may not be null, and the model says it may"
    if have.nullable and not want.nullable:
        yield f"column {have.name} may be null, and the model says it may not"
    if want.filled and not have.filled:
        yield f"column {have.name} has no default, and the model expects the database to fill it"


def _fits(have: str, want: str, dialect: Dialect) -> bool:
    """Whether a column of type *have* keeps every value of *want* as it is."""
    if have == want:
        return True
    if dialect == "sqlite":
        return affinity(have) == affinity(want)
    there, wanted = _LENGTH.match(have), _LENGTH.match(want)
    if want == "text":
        return there is not None and there.group(1) is None
    if wanted is None:
        return False
    if have == "text" or there is None:
        return have == "text"
    lengths = there.group(1), wanted.group(1)
    return lengths[0] is None or (lengths[1] is not None and int(lengths[0]) >= int(lengths[1]))


def affinity(declared: str) -> str:
    """Return SQLite's affinity of a declared type: https://www.sqlite.org/datatype3.html#determination_of_column_affinity."""
    kind = declared.upper()
    if "INT" in kind:
        return "integer"
    if any(word in kind for word in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if not kind or "BLOB" in kind:
        return "blob"
    return "real" if any(word in kind for word in ("REAL", "FLOA", "DOUB")) else "numeric"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
