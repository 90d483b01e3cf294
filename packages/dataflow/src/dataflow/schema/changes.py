"""Changes of a schema as values. Each holds all that it takes to make it, and to undo it.

Rule: ``after(after(state, change), change.reverse()) == state``, for the shape of the tables. What was in a table or a
column that is dropped does not come back; `loses` of `dataflow.schema.risk` says so beforehand.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from dataflow.schema.state import Check, Column, ForeignKey, Index, Table


class CreateTable(msgspec.Struct, frozen=True, tag=True):
    """Make a table, with its keys and checks and without its indexes."""

    table: Table

    def reverse(self) -> DropTable:
        """The change that undoes this one."""
        return DropTable(self.table)


class DropTable(msgspec.Struct, frozen=True, tag=True):
    """Remove a table with all that is in it."""

    table: Table

    def reverse(self) -> CreateTable:
        """The change that undoes this one, as far as the shape of the table goes."""
        return CreateTable(self.table)


class RenameTable(msgspec.Struct, frozen=True, tag=True):
    """Give a table another name."""

    old: str
    new: str

    def reverse(self) -> RenameTable:
        """The change that undoes this one."""
        return RenameTable(self.new, self.old)


class AddColumn(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Add a column, at the end."""

    table: str
    column: Column
    fill: str | None = None  # what the records that are there are given, as a literal; never a default

    def reverse(self) -> DropColumn:
        """The change that undoes this one."""
        return DropColumn(self.table, self.column, self.fill)


class DropColumn(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Remove a column with all that is in it."""

    table: str
    column: Column
    fill: str | None = None

    def reverse(self) -> AddColumn:
        """The change that undoes this one, as far as the shape of the table goes."""
        return AddColumn(self.table, self.column, self.fill)


class RenameColumn(msgspec.Struct, frozen=True, tag=True):
    """Give a column another name."""

    table: str
    old: str
    new: str

    def reverse(self) -> RenameColumn:
        """The change that undoes this one."""
        return RenameColumn(self.table, self.new, self.old)


class SetType(msgspec.Struct, frozen=True, tag=True):
    """Give a column another type, with its collation and its default."""

    table: str
    old: Column
    new: Column

    def reverse(self) -> SetType:
        """The change that undoes this one."""
        return SetType(self.table, self.new, self.old)


class SetNullable(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Let a column be null, or forbid it."""

    table: str
    column: str
    nullable: bool
    unknown: bool = False  # no model has the column

    def reverse(self) -> SetNullable:
        """The change that undoes this one."""
        return SetNullable(self.table, self.column, not self.nullable, self.unknown)


class SetDefault(msgspec.Struct, frozen=True, tag=True):
    """Give a column another default, or none."""

    table: str
    column: str
    old: str | None
    new: str | None

    def reverse(self) -> SetDefault:
        """The change that undoes this one."""
        return SetDefault(self.table, self.column, self.new, self.old)


class SetIdentity(msgspec.Struct, frozen=True, tag=True):
    """Let the database count a column, or not any more."""

    table: str
    column: str
    identity: bool

    def reverse(self) -> SetIdentity:
        """The change that undoes this one."""
        return SetIdentity(self.table, self.column, not self.identity)


class SetPrimaryKey(msgspec.Struct, frozen=True, tag=True):
    """Give a table another primary key: the names of its columns, and of its constraint."""

    table: str
    old: tuple[str, ...]
    old_name: str
    new: tuple[str, ...]
    new_name: str

    def reverse(self) -> SetPrimaryKey:
        """The change that undoes this one."""
        return SetPrimaryKey(self.table, self.new, self.new_name, self.old, self.old_name)


class CreateIndex(msgspec.Struct, frozen=True, tag=True):
    """Make an index."""

    table: str
    index: Index

    def reverse(self) -> DropIndex:
        """The change that undoes this one."""
        return DropIndex(self.table, self.index)


class DropIndex(msgspec.Struct, frozen=True, tag=True):
    """Remove an index."""

    table: str
    index: Index

    def reverse(self) -> CreateIndex:
        """The change that undoes this one."""
        return CreateIndex(self.table, self.index)


class RepairIndex(msgspec.Struct, frozen=True, tag=True):
    """Make an index again that PostgreSQL gave up building."""

    table: str
    index: Index

    def reverse(self) -> RepairIndex:
        """A repair is not undone."""
        return self


class AddForeignKey(msgspec.Struct, frozen=True, tag=True):
    """Make a foreign key."""

    table: str
    key: ForeignKey

    def reverse(self) -> DropForeignKey:
        """The change that undoes this one."""
        return DropForeignKey(self.table, self.key)


class DropForeignKey(msgspec.Struct, frozen=True, tag=True):
    """Remove a foreign key."""

    table: str
    key: ForeignKey

    def reverse(self) -> AddForeignKey:
        """The change that undoes this one."""
        return AddForeignKey(self.table, self.key)


class AddCheck(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Make a check."""

    table: str
    check: Check
    widens: bool = False  # it takes the place of one that lets less through

    def reverse(self) -> DropCheck:
        """The change that undoes this one."""
        return DropCheck(self.table, self.check)


class DropCheck(msgspec.Struct, frozen=True, tag=True):
    """Remove a check."""

    table: str
    check: Check

    def reverse(self) -> AddCheck:
        """The change that undoes this one."""
        return AddCheck(self.table, self.check)


Change: TypeAlias = (
    CreateTable
    | DropTable
    | RenameTable
    | AddColumn
    | DropColumn
    | RenameColumn
    | SetType
    | SetNullable
    | SetDefault
    | SetIdentity
    | SetPrimaryKey
    | CreateIndex
    | DropIndex
    | RepairIndex
    | AddForeignKey
    | DropForeignKey
    | AddCheck
    | DropCheck
)


def table_of(change: Change) -> str:
    """Return the name of the table that *change* is about, as it is called before."""
    match change:
        case CreateTable() | DropTable():
            return change.table.name
        case RenameTable():
            return change.old
        case _:
            return change.table


def reverse(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Return the changes that undo *changes*, last one first."""
    return tuple(change.reverse() for change in reversed(changes))
