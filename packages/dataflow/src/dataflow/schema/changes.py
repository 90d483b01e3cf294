"""Changes of a schema as values. Each knows its reverse."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class CreateTable(msgspec.Struct, frozen=True, tag=True):
    """Make a table, with its keys and without its indexes."""

    table: str

    def reverse(self) -> DropTable:
        """The change that undoes this one."""
        return DropTable(self.table)


class DropTable(msgspec.Struct, frozen=True, tag=True):
    """Remove a table with all that is in it."""

    table: str

    def reverse(self) -> CreateTable:
        """The change that undoes this one, as far as the shape of the table goes."""
        return CreateTable(self.table)


class CreateIndex(msgspec.Struct, frozen=True, tag=True):
    """Make an index."""

    table: str
    index: str

    def reverse(self) -> DropIndex:
        """The change that undoes this one."""
        return DropIndex(self.table, self.index)


class DropIndex(msgspec.Struct, frozen=True, tag=True):
    """Remove an index."""

    table: str
    index: str

    def reverse(self) -> CreateIndex:
        """The change that undoes this one."""
        return CreateIndex(self.table, self.index)


Change: TypeAlias = CreateTable | DropTable | CreateIndex | DropIndex
