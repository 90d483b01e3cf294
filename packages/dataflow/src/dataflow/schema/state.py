"""What a database holds, as values: tables, views, columns, keys, indexes, rules, enums.

Rule 1: types, defaults and expressions are spelled as the database spells them.
Rule 2: a state is complete enough to make its tables again; `dataflow.schema.ddl` does.
Rule 3: names of constraints are kept, and never decide whether two of them are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
Kind: TypeAlias = Literal["table", "partitioned table", "view", "materialized view", "foreign table", "virtual table"]


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """One column."""

    name: str
    type: str  # "bigint", "character varying(20)" on PostgreSQL; as declared, in lower case, on SQLite
    nullable: bool = True
    default: str | None = None  # an expression: "0", "'new'::text", "now()"
    identity: bool = False  # the database counts it: IDENTITY, SERIAL, INTEGER PRIMARY KEY
    generated: str | None = None  # the expression that computes it
    collation: str | None = None  # None: the one that its type has anyway
    comment: str | None = None

    @property
    def filled(self) -> bool:
        """Whether an INSERT may leave it out and it is still given a value."""
        return self.default is not None or self.identity or self.generated is not None


class Index(msgspec.Struct, frozen=True, omit_defaults=True):
    """One index, or a unique constraint, which is one too. The primary key is not among them."""

    columns: tuple[str, ...]  # names; where *plain* is False, expressions may stand among them
    unique: bool = False
    name: str = ""
    where: str | None = None  # a partial index
    plain: bool = True  # columns alone, no expression
    constraint: bool = False  # it belongs to a UNIQUE constraint of that name
    method: str = "btree"
    valid: bool = True  # False: PostgreSQL gave up while building it
    definition: str | None = None  # CREATE INDEX ..., where it is more than columns

    @property
    def serves(self) -> tuple[tuple[str, ...], bool, str]:
        """What makes two of them the same: their columns, whether they are unique, and of which records."""
        condition = (self.where or "").replace('"', "").strip("() ").lower() if self.valid else "not valid"
        return self.columns, self.unique, condition if self.plain and self.method == "btree" else f"by {self.name}"

    @property
    def covers(self) -> tuple[tuple[str, ...], bool] | None:
        """What it is good for: its columns, and whether they are unique. None: for its own purpose alone."""
        ordinary = self.plain and self.where is None and self.valid and self.method == "btree"
        return (self.columns, self.unique) if ordinary else None


class ForeignKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """One foreign key."""

    columns: tuple[str, ...]
    table: str  # "other.table" where it is in another schema
    targets: tuple[str, ...]
    on_delete: str = "NO ACTION"  # "CASCADE", "RESTRICT", "SET NULL", "NO ACTION", "SET DEFAULT"
    on_update: str = "NO ACTION"
    name: str = ""
    deferred: bool = False  # asked when the transaction ends

    @property
    def meaning(self) -> tuple[tuple[str, ...], str, tuple[str, ...], str]:
        """What makes two of them the same: all but the name and ON UPDATE, since ids are never changed."""
        return self.columns, self.table, self.targets, self.on_delete


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One CHECK constraint."""

    name: str
    expression: str


class Table(msgspec.Struct, frozen=True, omit_defaults=True):
    """One table, or what is read like one."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    kind: Kind = "table"
    primary_key_name: str = ""
    autoincrement: bool = False  # SQLite: AUTOINCREMENT, an id is never given twice
    options: tuple[str, ...] = ()  # SQLite: "STRICT", "WITHOUT ROWID"
    definition: str | None = None  # the query of a view
    partitioned_by: str | None = None  # "RANGE (at)"
    partition_of: str | None = None  # the table that this is a part of
    comment: str | None = None

    @property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def writable(self) -> bool:
        """Whether it is a table, with columns and keys that can be changed."""
        return self.kind in ("table", "partitioned table")


class SchemaState(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tables and views by name, and the enum types that their columns have (PostgreSQL)."""

    tables: Mapping[str, Table]
    enums: Mapping[str, tuple[str, ...]] = {}  # name -> labels, in their order
