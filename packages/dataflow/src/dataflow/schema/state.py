"""Tables, columns, indexes and foreign keys as values, with types spelled as the database spells them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec


class Column(msgspec.Struct, frozen=True):
    """One column."""

    name: str
    type: str  # "bigint", "character varying(20)" on PostgreSQL; as declared, in lower case, on SQLite
    nullable: bool
    filled: bool  # it has a default, or an identity: an INSERT may leave it out


class Index(msgspec.Struct, frozen=True, order=True):
    """One index, or a unique constraint, which is one too."""

    columns: tuple[str, ...]
    unique: bool
    name: str = ""


class ForeignKey(msgspec.Struct, frozen=True, order=True):
    """One foreign key."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...]
    on_delete: str  # "CASCADE", "RESTRICT", "SET NULL", "NO ACTION", "SET DEFAULT"


class Table(msgspec.Struct, frozen=True):
    """One table."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


class SchemaState(msgspec.Struct, frozen=True):
    """Tables by name."""

    tables: Mapping[str, Table]

    @property
    def digest(self) -> str:
        """A digest that changes whenever anything here does."""
        tables = [self.tables[name] for name in sorted(self.tables)]
        return hashlib.sha256(msgspec.json.encode(tables)).hexdigest()
