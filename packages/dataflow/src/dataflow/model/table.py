"""ModelSpec -> `sqlalchemy.Table`. The only place where columns are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from dataflow.model import naming
from dataflow.model.keyring import Keyring
from dataflow.model.sealed import Sealed
from dataflow.model.spec import FieldSpec, ForeignKey, ModelSpec
from dataflow.model.types import column_type

ON_DELETE: Final = {"cascade": "CASCADE", "restrict": "RESTRICT", "set null": "SET NULL", "set default": "SET DEFAULT"}


def build_table(
    spec: ModelSpec,
    metadata: sa.MetaData,
    table_of: Callable[[str], str] = naming.table_name,
    keyring: Keyring | None = None,
) -> sa.Table:
    """Return the table of *spec*, added to *metadata*; one of that name that is there gives way.

    table_of: the name of a model -> the name of its table, for foreign keys. keyring: of encrypted fields.
    """
    if (former := metadata.tables.get(spec.table)) is not None:
        metadata.remove(former)
    return sa.Table(
        spec.table,
        metadata,
        *[_column(spec, field, keyring) for field in spec.fields],
        *_constraints(spec, table_of),
        *[sa.Index(index.name, *index.fields, unique=index.unique) for index in spec.indexes],
        sqlite_autoincrement=any(field.autoincrement for field in spec.fields),
    )


def _column(spec: ModelSpec, field: FieldSpec, keyring: Keyring | None) -> sa.Column[Any]:
    counted = [sa.Identity()] if field.autoincrement else []
    kind: sa.types.TypeEngine[Any]
    if field.encrypted is None:
        kind = column_type(field)
    else:
        kind = Sealed(spec.table, field, keyring or Keyring([]))
    return sa.Column(
        field.stored_as,
        kind,
        *counted,
        key=field.name,
        nullable=field.nullable,
        autoincrement=field.autoincrement,
    )


def _constraints(spec: ModelSpec, table_of: Callable[[str], str]) -> Iterator[sa.Constraint]:
    keys = [field.name for field in spec.fields if field.primary_key]
    yield sa.PrimaryKeyConstraint(*keys, name=naming.primary_key_name(spec.table))
    for field in spec.fields:
        if field.foreign_key is not None:
            yield _foreign_key(spec, field, field.foreign_key, table_of)


def _foreign_key(
    spec: ModelSpec, field: FieldSpec, key: ForeignKey, table_of: Callable[[str], str]
) -> sa.ForeignKeyConstraint:
    model, _, column = str(key.target).partition(".")
    return sa.ForeignKeyConstraint(
        [field.name],
        [f"{table_of(model)}.{column}"],
        name=naming.foreign_key_name(spec.table, field.name),
        ondelete=ON_DELETE.get(key.on_delete),
    )
