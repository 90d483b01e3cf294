"""ModelSpec -> `sqlalchemy.Table`. The only place where columns are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from dataflow.model import naming
from dataflow.model.keyring import Keyring
from dataflow.model.sealed import Sealed
from dataflow.model.spec import DELETED, TENANT, FieldSpec, ForeignKey, IndexSpec, ModelSpec
from dataflow.model.types import column_type

ON_DELETE: Final = {"cascade": "CASCADE", "restrict": "RESTRICT", "set null": "SET NULL", "set default": "SET DEFAULT"}
EMPTYING: Final = ("set null", "set default")
DIALECTS: Final = ("postgresql", "sqlite")


def build_table(
    spec: ModelSpec,
    metadata: sa.MetaData,
    table_of: Callable[[str], str] = naming.table_name,
    is_tenants: Callable[[str], bool] = lambda model: False,
    keyring: Keyring | None = None,
    dialect: str = "",
) -> sa.Table:
    """Return the table of *spec*, added to *metadata*; one of that name that is there gives way.

    For foreign keys: table_of, the name of a model -> the name of its table; is_tenants, -> whether it is multi-tenant.
    keyring: of encrypted fields. dialect: the only one that the table is for, so that SQLAlchemy loads no other.
    """
    if (former := metadata.tables.get(spec.table)) is not None:
        metadata.remove(former)
    dialects = (dialect,) if dialect else DIALECTS
    counted = any(field.autoincrement for field in spec.fields)
    more: dict[str, Any] = {"sqlite_autoincrement": counted} if "sqlite" in dialects else {}
    return sa.Table(
        spec.table,
        metadata,
        *[_column(spec, field, keyring) for field in spec.fields],
        *_constraints(spec, table_of, is_tenants),
        *[_index(spec, index, dialects) for index in spec.indexes],
        **more,
    )


def _column(spec: ModelSpec, field: FieldSpec, keyring: Keyring | None) -> sa.Column[Any]:
    counted = [sa.Identity()] if field.autoincrement else []
    kind: sa.types.TypeEngine[Any]
    if field.encrypted is None:
        kind = column_type(field)
    else:
        kind = Sealed(spec.keeps or spec.table, field, keyring or Keyring([]))
    return sa.Column(
        field.stored_as,
        kind,
        *counted,
        key=field.name,
        nullable=field.nullable,
        autoincrement=field.autoincrement,
    )


def _index(spec: ModelSpec, index: IndexSpec, dialects: Iterable[str]) -> sa.Index:
    if not index.live:
        return sa.Index(index.name, *index.fields, unique=index.unique)
    live = sa.column(spec.by_name[DELETED].stored_as).is_(None)
    where: dict[str, Any] = {f"{each}_where": live for each in dialects}
    return sa.Index(index.name, *index.fields, unique=index.unique, **where)


def _constraints(
    spec: ModelSpec, table_of: Callable[[str], str], is_tenants: Callable[[str], bool]
) -> Iterator[sa.Constraint]:
    keys = [field.name for field in spec.fields if field.primary_key]
    yield sa.PrimaryKeyConstraint(*keys, name=naming.primary_key_name(spec.table))
    for field in spec.fields:
        if field.foreign_key is not None:
            yield from _foreign_keys(spec, field, field.foreign_key, table_of, is_tenants)


def _foreign_keys(
    spec: ModelSpec,
    field: FieldSpec,
    key: ForeignKey,
    table_of: Callable[[str], str],
    is_tenants: Callable[[str], bool],
) -> Iterator[sa.ForeignKeyConstraint]:
    """Between records of tenants the key holds the tenant too, so that it cannot point to another's.

    SET NULL would empty the tenant as well: there one key empties the field, and a second one, asked at commit, sees
    to the tenant; SET DEFAULT likewise. (PostgreSQL 15 can name the columns to empty; SQLite cannot.)
    """
    model, _, column = str(key.target).partition(".")
    name, table = naming.foreign_key_name(spec.table, field.name), table_of(model)
    confined = spec.options.multi_tenant and is_tenants(model)
    on_delete = ON_DELETE.get(key.on_delete)
    if not confined or key.on_delete in EMPTYING:
        yield sa.ForeignKeyConstraint([field.name], [f"{table}.{column}"], name=name, ondelete=on_delete)
    if not confined:
        return
    fields, targets = [TENANT, field.name], [f"{table}.{TENANT}", f"{table}.{column}"]
    if key.on_delete in EMPTYING:
        within = naming.foreign_key_name(spec.table, f"{TENANT}_{field.name}")
        yield sa.ForeignKeyConstraint(fields, targets, name=within, deferrable=True, initially="DEFERRED")
    else:
        yield sa.ForeignKeyConstraint(fields, targets, name=name, ondelete=on_delete)
