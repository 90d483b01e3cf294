"""What a model is, as plain values. No SQLAlchemy here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from dataflow.model import naming
from kailash.shapes import Field, Shape

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ForeignKey(msgspec.Struct, frozen=True):
    """Written in an annotation: ``Annotated[int, ForeignKey("Customer.id", on_delete="cascade")]``."""

    target: str | type  # "Customer.id", "Customer" or the class itself
    on_delete: str = "restrict"  # "cascade", "restrict", "set null", "set default", "no action"


class Column(msgspec.Struct, frozen=True):
    """What a field does not say of its column, where the table was there first.

    Written in an annotation: ``Annotated[int, Column("CustomerID", type="smallint")]``.
    """

    name: str = ""  # the same as the field's, where there is none
    type: str = ""  # as the database spells it; none: the one that the field's type has
    made: bool = True  # False: an id that callers give


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One field: its Python type without Optional and Annotated, and what the database must know of it."""

    name: str
    python_type: Any  # str, Decimal, list, an Enum class, ...: the key of the column-type table
    annotation: Any  # as written, for the shape
    nullable: bool
    default: Any  # kailash.shapes.REQUIRED where there is none; a function makes one default a record
    primary_key: bool = False
    autoincrement: bool = False
    generated: bool = False  # an id that we make (UUIDv7) when it is not given
    managed: bool = False  # kept by us, never settable by a caller: a time stamp, the tenant, the version
    max_length: int | None = None
    foreign_key: ForeignKey | None = None
    naive: bool = False  # a datetime without a zone
    secret: bool = False  # masked in the audit log and the feed
    encrypted: Encrypted | None = None
    column: str = ""  # the name of its column, where it is another one
    column_type: str = ""  # the type of its column, where it is another one, as the database spells it

    @property
    def stored_as(self) -> str:
        """The name of its column."""
        return self.column or self.name


TENANT: Final = "tenant_id"  # of a multi-tenant model: whose record it is
DELETED: Final = "deleted_at"  # of a model that deletes softly: when it was marked; null while it is not
VERSION: Final = "version"  # of a versioned model: 1, and one more with each change
STAMPS: Final = ("created_at", "updated_at")


class IndexSpec(msgspec.Struct, frozen=True):
    """One index: its name, its fields in order, and whether it is unique.

    In a multi-tenant model the tenant comes first. live: it leaves out the records that are marked as deleted.
    """

    name: str
    fields: tuple[str, ...]
    unique: bool = False
    live: bool = False


class Encrypted(msgspec.Struct, frozen=True):
    """Written in an annotation: ``Annotated[str, Encrypted()]``; the column holds ciphertext.

    searchable: the field can be asked for by equality, at the price that equal values can be told by who has the table.
    """

    searchable: bool = False


class Secret(msgspec.Struct, frozen=True):
    """Written in an annotation: ``Annotated[str, Secret()]``; the field is masked in the audit log and the feed."""


class ModelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``__dataflow__`` of a model. Options of later versions are refused where they are declared."""

    audit_log: bool | None = None  # None: as the database says (audit_logging)
    feed: bool = False  # its changes are in the feed, whether anybody listens or not
    # Whether answers are kept, for how many seconds, or that for each kind; None: as the database says.
    cache: bool | float | Mapping[str, bool | float] | None = None
    encrypted: tuple[str, ...] = ()  # fields, besides those whose annotations say so
    workflow_events: tuple[str, ...] = ()  # "create", "update", "delete", "<field>_change"
    timestamps: bool = True  # created_at and updated_at, where the class has none of its own
    multi_tenant: bool = False
    soft_delete: bool = False
    versioned: bool = False
    history: bool | None = None  # whether the versions of a versioned model are kept; None: they are

    @property
    def kept(self) -> bool:
        """Whether every version of a record is kept."""
        return self.versioned and self.history is not False


NO_OPTIONS: Final = ModelOptions()


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One model."""

    name: str  # "OrderItem"
    table: str  # "order_items"
    module: str
    fields: tuple[FieldSpec, ...]
    indexes: tuple[IndexSpec, ...] = ()
    options: ModelOptions = NO_OPTIONS
    renamed: Mapping[str, str] = {}  # what was -> what is: columns, and the table itself
    keeps: str = ""  # the table whose records this one has all versions of (`dataflow.model.past`); empty: none

    @cached_property
    def by_name(self) -> Mapping[str, FieldSpec]:
        """The fields by name, in order."""
        return {field.name: field for field in self.fields}

    @cached_property
    def managed(self) -> tuple[str, ...]:
        """The fields that are kept by us."""
        return tuple([field.name for field in self.fields if field.managed])

    @cached_property
    def stamps(self) -> tuple[str, ...]:
        """The time stamps that are kept by us: ``created_at``, ``updated_at``, or neither."""
        return tuple([name for name in self.managed if name in STAMPS])

    @cached_property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The sets of fields by which a caller can tell one record of its tenant from the others; ``id`` first."""
        unique = [tuple([name for name in index.fields if name != TENANT]) for index in self.indexes if index.unique]
        return tuple(dict.fromkeys([("id",), *unique]))

    @cached_property
    def autoincrement(self) -> bool:
        """Whether the database makes the id."""
        return any(field.autoincrement for field in self.fields)

    @cached_property
    def resource(self) -> str:
        """What channels call the collection of its records: the name of the table, in letters that a URL has."""
        return self.table if _PLAIN_NAME.fullmatch(self.table) else naming.slug(self.table)

    @cached_property
    def record(self) -> Shape:
        """The shape of a stored record: every field."""
        return Shape(self.name, [Field(f.name, f.annotation, f.default) for f in self.fields])

    @cached_property
    def settable(self) -> Shape:
        """The shape of what a caller may give: every field but the managed ones; ``id`` where it is not made."""
        return Shape(
            self.name,
            [Field(f.name, f.annotation, None if f.autoincrement else f.default) for f in self.fields if not f.managed],
        )
