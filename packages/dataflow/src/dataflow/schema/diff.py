"""What is there against what is wanted: the changes between the two, in an order that works. Pure.

Rule 1: nothing is dropped that is not replaced. More than is wanted stays: tables, columns, indexes, keys.
Rule 2: a name is another name for something only where a model says so (``__renamed__``).
Rule 3: what cannot be changed by a statement is a sentence, `Difference.impossible`.
Rule 4: a unique index that no model wants stays, since it may be somebody's, and is told: it refuses records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from dataflow.model import naming
from dataflow.model.spec import DELETED
from dataflow.schema import changes as kinds
from dataflow.schema import rules
from dataflow.schema.after import after_all
from dataflow.schema.changes import Change
from dataflow.schema.ddl import drop_index
from dataflow.schema.fits import fits
from dataflow.schema.state import Column, Dialect, ForeignKey, Index, SchemaState, Table
from dataflow.schema.wanted import Wanted


class Difference(msgspec.Struct, frozen=True):
    """The changes that lead from one state to another, what no change leads to, and what stays though not wanted."""

    changes: tuple[Change, ...] = ()
    impossible: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def diff(have: SchemaState, wanted: Wanted, dialect: Dialect) -> Difference:
    """Return what makes *have* hold everything that is *wanted*."""
    renames = [*_renames(have, wanted)]
    have = after_all(have, renames)
    made, late = _new_tables(have, wanted.state, dialect)
    impossible = [*_impossible(have, wanted.state)]
    unusable = {sentence.partition(":")[0] for sentence in impossible}
    pairs = [
        (have.tables[name], table)
        for name, table in wanted.state.tables.items()
        if name in have.tables and name not in unusable
    ]
    former = {table: {new: old for old, new in names.items()} for table, names in wanted.renames.items()}
    parts: list[Change] = []
    for there, table in pairs:
        parts += _columns(there, table, wanted.fills, dialect)
        parts += _checks(there, table, former.get(table.name, {}))
    parts += _keys(pairs)
    parts += _indexes(pairs)
    new = [index for change in made for index in _all_indexes(wanted, change)]
    ordered = sorted(parts, key=lambda change: _ORDER.index(type(change)))
    return Difference((*renames, *made, *new, *ordered, *late), tuple(impossible), tuple(_unwanted(pairs)))


_ORDER = (
    kinds.DropForeignKey,
    kinds.DropCheck,
    kinds.SetType,
    kinds.AddColumn,
    kinds.SetDefault,
    kinds.SetIdentity,
    kinds.SetNullable,
    kinds.SetPrimaryKey,
    kinds.AddCheck,
    kinds.DropIndex,
    kinds.CreateIndex,
    kinds.RepairIndex,
    kinds.AddForeignKey,
)


# -- tables --------------------------------------------------------------------------------------------------


def _renames(have: SchemaState, wanted: Wanted) -> Iterator[Change]:
    for name, names in wanted.renames.items():
        table = wanted.state.tables[name]
        former = next((old for old, new in names.items() if new == name and old in have.tables), None)
        if former is not None and name not in have.tables:
            yield kinds.RenameTable(former, name)
        there = have.tables.get(name) or have.tables.get(former or "")
        for old, new in names.items():
            if there is not None and new in table.by_name and old in there.by_name and new not in there.by_name:
                yield kinds.RenameColumn(name, old, new)


def _new_tables(
    have: SchemaState, want: SchemaState, dialect: Dialect
) -> tuple[list[kinds.CreateTable], list[kinds.AddForeignKey]]:
    """Return tables before those that point to them, and the keys that are added when all else is done.

    These close a circle of tables, or point to what a unique index must keep apart first.
    """
    waiting = {name: table for name, table in want.tables.items() if name not in have.tables}
    made: list[kinds.CreateTable] = []
    if dialect == "sqlite":  # points to tables and indexes that are not there yet without complaint
        return [kinds.CreateTable(replace(table, indexes=())) for table in waiting.values()], []
    there, late = {*have.tables}, []
    for name, table in waiting.items():
        keys = [key for key in table.foreign_keys if not _to_primary(key, want)]
        late += [kinds.AddForeignKey(name, key) for key in keys]
        waiting[name] = replace(table, foreign_keys=tuple(key for key in table.foreign_keys if key not in keys))
    while waiting:
        ready = [name for name, table in waiting.items() if _targets(table) <= there | {name}]
        if not ready:
            name = next(iter(waiting))
            keys = [key for key in waiting[name].foreign_keys if key.table not in there | {name}]
            late += [kinds.AddForeignKey(name, key) for key in keys]
            rest = tuple(key for key in waiting[name].foreign_keys if key not in keys)
            waiting[name], ready = replace(waiting[name], foreign_keys=rest), [name]
        for name in ready:
            made.append(kinds.CreateTable(replace(waiting.pop(name), indexes=())))
            there.add(name)
    return made, late


def _to_primary(key: ForeignKey, want: SchemaState) -> bool:
    target = want.tables.get(key.table)
    return target is None or target.primary_key == key.targets


def _targets(table: Table) -> set[str]:
    return {key.table for key in table.foreign_keys}


def _all_indexes(wanted: Wanted, change: kinds.CreateTable) -> Iterator[kinds.CreateIndex]:
    return (kinds.CreateIndex(change.table.name, index) for index in wanted.state.tables[change.table.name].indexes)


def _impossible(have: SchemaState, want: SchemaState) -> Iterator[str]:
    for name, table in want.tables.items():
        there = have.tables.get(name)
        if there is None:
            continue
        if not there.writable:
            yield f"{name}: is a {there.kind}, and the model needs a table; set existing_schema_mode, or __tablename__"
            continue
        id, was = table.by_name.get("id"), there.by_name.get("id")
        if id is not None and was is not None and _family(id.type) != _family(was.type):
            yield (
                f"{name}: id is {was.type or 'of no type'}, not {id.type}; an id that other records may point to keeps"
                " its type: move the records to a new table, or go back to the former type"
            )


def _family(kind: str) -> str:
    return "number" if "int" in kind or kind.startswith("numeric") else "uuid" if kind == "uuid" else "text"


# -- columns -------------------------------------------------------------------------------------------------


def _columns(have: Table, want: Table, fills: Mapping[tuple[str, str], str], dialect: Dialect) -> Iterator[Change]:
    for column in want.columns:
        there = have.by_name.get(column.name)
        if there is None:
            needed = not column.nullable and not column.filled
            yield kinds.AddColumn(want.name, column, fills.get((want.name, column.name)) if needed else None)
        else:
            yield from _column(want.name, there, column, dialect)
    for column in have.columns:
        if column.name not in want.by_name and not column.nullable and not column.filled:
            yield kinds.SetNullable(want.name, column.name, nullable=True, unknown=True)
    if have.primary_key != want.primary_key:
        name = want.primary_key_name
        yield kinds.SetPrimaryKey(want.name, have.primary_key, have.primary_key_name, want.primary_key, name)


def _column(table: str, have: Column, want: Column, dialect: Dialect) -> Iterator[Change]:
    if not fits(have.type, want.type, dialect):
        kept = replace(have, type=want.type, collation=want.collation, default=want.default)
        yield kinds.SetType(table, have, kept)
    elif want.default is not None and not rules.same_default(have.default, want.default):
        yield kinds.SetDefault(table, want.name, have.default, want.default)
    if want.identity and not have.filled:
        yield kinds.SetIdentity(table, want.name, identity=True)
    if want.nullable != have.nullable:
        yield kinds.SetNullable(table, want.name, nullable=want.nullable)


def _checks(have: Table, want: Table, former: Mapping[str, str]) -> Iterator[Change]:
    """Compare our checks by their names; a column that was renamed has those of its former name."""
    there = {check.name: check for check in have.checks}
    wanted = {check.name: check for check in want.checks}
    for column in want.columns:
        mine = [check for name, check in wanted.items() if naming.is_check_of(name, want.name, column.name)]
        names = [column.name, former[column.name]] if column.name in former else [column.name]
        stale = [
            check
            for name, check in there.items()
            if name not in wanted and any(naming.is_check_of(name, want.name, each) for each in names)
        ]
        for check in stale:
            yield kinds.DropCheck(want.name, check)
        for check in mine:
            if check.name not in there:
                new_column = column.name not in have.by_name
                widens = new_column or (bool(stale) and any(rules.wider(check, old) for old in stale))
                yield kinds.AddCheck(want.name, check, widens)


# -- keys and indexes ----------------------------------------------------------------------------------------


def _keys(pairs: Iterable[tuple[Table, Table]]) -> Iterator[Change]:
    for have, want in pairs:
        there = {key.meaning for key in have.foreign_keys}
        for key in want.foreign_keys:
            if key.meaning not in there:
                replaced = [old for old in have.foreign_keys if _same_aim(old.meaning, key.meaning)]
                yield from (kinds.DropForeignKey(want.name, old) for old in replaced)
                yield kinds.AddForeignKey(want.name, key)


def _same_aim(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether two keys differ in what they do on delete alone."""
    return one[:-1] == other[:-1]


def _indexes(pairs: Iterable[tuple[Table, Table]]) -> Iterator[Change]:
    for have, want in pairs:
        good = {index.serves for index in have.indexes}
        named = {index.name: index for index in have.indexes}
        for index in want.indexes:
            columns, _, condition = index.serves
            if index.serves in good or (columns, True, condition) in good:
                continue
            old = named.get(index.name)
            if old is not None and not old.valid and _alike(old, index):
                yield kinds.RepairIndex(want.name, index)
                continue
            if old is not None:
                yield kinds.DropIndex(want.name, old)
            yield kinds.CreateIndex(want.name, index)


def _unwanted(pairs: Iterable[tuple[Table, Table]]) -> Iterator[str]:
    """Tell of unique indexes of fields that no model keeps apart; one with the key in it refuses nothing."""
    for have, want in pairs:
        wanted = {index.serves for index in want.indexes}
        for index in have.indexes:
            could = index.where is None or DELETED in index.where  # any other condition, no model could ask for
            rule = index.unique and index.plain and index.valid and could and {*index.columns} <= want.by_name.keys()
            if rule and index.serves not in wanted and not {*have.primary_key} <= {*index.columns}:
                yield (
                    f"{want.name}: {index.name or 'a unique index'} keeps {', '.join(index.columns)} unique, which no"
                    f" model asks for; it stays: {_dropped(want.name, index)} lets equal values in"
                )


def _dropped(table: str, index: Index) -> str:
    return drop_index(table, index) if index.name and not index.name.startswith("sqlite_") else "a table made anew"


def _alike(one: Index, other: Index) -> bool:
    return (one.columns, one.unique, one.where) == (other.columns, other.unique, other.where)
