"""What a schema is after a change. Pure: what databases do, and what SQLite's tables are made anew from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from msgspec.structs import replace

from dataflow.schema import changes as kinds
from dataflow.schema.changes import Change, table_of
from dataflow.schema.state import Column, ForeignKey, Index, SchemaState, Table


def after(state: SchemaState, change: Change) -> SchemaState:
    """Return what *state* is after *change*."""
    return after_all(state, (change,))


def after_all(state: SchemaState, changes: Iterable[Change]) -> SchemaState:
    """Return what *state* is after *changes*, one after the other."""
    tables = dict(state.tables)
    for change in changes:
        tables = _applied(tables, change)
    return replace(state, tables=dict(sorted(tables.items())))


def _applied(tables: dict[str, Table], change: Change) -> dict[str, Table]:
    """Change *tables*, or return others."""
    match change:
        case kinds.CreateTable():
            tables[change.table.name] = change.table
        case kinds.DropTable():
            del tables[change.table.name]
        case kinds.RenameTable():
            return _renamed(tables, change)
        case _:
            name = table_of(change)
            tables[name] = _changed(tables[name], change)
            if isinstance(change, kinds.RenameColumn):
                return {other: _retargeted(table, change) for other, table in tables.items()}
    return tables


def _changed(table: Table, change: Change) -> Table:
    match change:
        case kinds.AddColumn():
            return replace(table, columns=(*table.columns, change.column))
        case kinds.DropColumn():
            return _without(table, change.column.name)
        case kinds.RenameColumn():
            return _with_renamed(table, change.old, change.new)
        case kinds.SetType():
            return _with_column(table, change.old.name, lambda _: change.new)
        case kinds.SetNullable():
            return _with_column(table, change.column, lambda column: replace(column, nullable=change.nullable))
        case kinds.SetDefault():
            return _with_column(table, change.column, lambda column: replace(column, default=change.new))
        case kinds.SetIdentity():
            return _with_column(table, change.column, lambda column: replace(column, identity=change.identity))
        case kinds.SetPrimaryKey():
            return replace(table, primary_key=change.new, primary_key_name=change.new_name)
        case _:
            return _constrained(table, change)


def _constrained(table: Table, change: Change) -> Table:
    match change:
        case kinds.CreateIndex():
            return replace(table, indexes=_sorted_indexes((*table.indexes, change.index)))
        case kinds.DropIndex():
            return replace(table, indexes=tuple(each for each in table.indexes if each.name != change.index.name))
        case kinds.RepairIndex():
            rest = [each for each in table.indexes if each.name != change.index.name]
            return replace(table, indexes=_sorted_indexes((*rest, replace(change.index, valid=True))))
        case kinds.AddForeignKey():
            keys = sorted((*table.foreign_keys, change.key), key=lambda key: (key.meaning, key.name))
            return replace(table, foreign_keys=tuple(keys))
        case kinds.DropForeignKey():
            gone = (change.key.meaning, change.key.name)
            return replace(
                table, foreign_keys=tuple(key for key in table.foreign_keys if (key.meaning, key.name) != gone)
            )
        case kinds.AddCheck():
            checks = sorted((*table.checks, change.check), key=lambda check: (check.name, check.expression))
            return replace(table, checks=tuple(checks))
        case kinds.DropCheck():
            return replace(table, checks=tuple(each for each in table.checks if each.name != change.check.name))
        case kinds.CreateTable() | kinds.DropTable() | kinds.RenameTable():
            raise AssertionError(change)
        case kinds.AddColumn() | kinds.DropColumn() | kinds.RenameColumn():
            raise AssertionError(change)
        case kinds.SetType() | kinds.SetNullable() | kinds.SetDefault() | kinds.SetIdentity() | kinds.SetPrimaryKey():
            raise AssertionError(change)
        case _:
            assert_never(change)


def _sorted_indexes(indexes: Iterable[Index]) -> tuple[Index, ...]:
    return tuple(sorted(indexes, key=lambda index: (index.columns, index.unique, index.name)))


def _with_column(table: Table, name: str, make: Callable[[Column], Column]) -> Table:
    return replace(table, columns=tuple(make(each) if each.name == name else each for each in table.columns))


def _without(table: Table, name: str) -> Table:
    """A column takes with it the indexes and keys that it is part of."""
    return replace(
        table,
        columns=tuple(column for column in table.columns if column.name != name),
        indexes=tuple(index for index in table.indexes if name not in index.columns),
        foreign_keys=tuple(key for key in table.foreign_keys if name not in key.columns),
    )


def _with_renamed(table: Table, old: str, new: str) -> Table:
    def swap(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    return replace(
        _with_column(table, old, lambda column: replace(column, name=new)),
        primary_key=swap(table.primary_key),
        indexes=_sorted_indexes(replace(index, columns=swap(index.columns)) for index in table.indexes),
        foreign_keys=tuple(replace(key, columns=swap(key.columns)) for key in table.foreign_keys),
        checks=tuple(
            replace(check, expression=check.expression.replace(f'"{old}"', f'"{new}"')) for check in table.checks
        ),
    )


def _retargeted(table: Table, change: kinds.RenameColumn) -> Table:
    def aim(key: ForeignKey) -> ForeignKey:
        if key.table != change.table:
            return key
        return replace(key, targets=tuple(change.new if each == change.old else each for each in key.targets))

    return replace(table, foreign_keys=tuple(map(aim, table.foreign_keys)))


def _renamed(tables: Mapping[str, Table], change: kinds.RenameTable) -> dict[str, Table]:
    def aim(table: Table) -> Table:
        keys = [replace(key, table=change.new) if key.table == change.old else key for key in table.foreign_keys]
        return replace(table, foreign_keys=tuple(keys))

    found = {name: aim(table) for name, table in tables.items()}
    found[change.new] = replace(found.pop(change.old), name=change.new)
    return found
