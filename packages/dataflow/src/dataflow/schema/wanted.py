"""Models -> what the database should hold: a digest without SQLAlchemy, and a `SchemaState` with it."""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dataflow.model.spec import FieldSpec, ModelSpec
from dataflow.schema.state import Column, ForeignKey, Index, SchemaState, Table

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import Dialect

EDITION: Final = 1  # of `dataflow.model.types`: a new one makes every database look again
_COLLATION: Final = re.compile(r'\s+collate\s+("[^"]*"|\S+)', re.IGNORECASE)


def digest(specs: Iterable[ModelSpec]) -> str:
    """Return a digest of all that decides the tables of these models, in any order of the models."""
    plain = sorted(
        [[spec.table, [_field(f) for f in spec.fields], [*map(list, map(_index, spec.indexes))]] for spec in specs]
    )
    return hashlib.sha256(msgspec.json.encode([EDITION, plain])).hexdigest()


def _field(field: FieldSpec) -> list[Any]:
    kind = field.python_type
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        kind = type(next(iter(kind)).value)
    key = field.foreign_key
    return [
        field.name,
        getattr(kind, "__qualname__", str(kind)),
        field.nullable,
        field.primary_key,
        field.autoincrement,
        field.max_length,
        field.naive,
        [str(key.target), key.on_delete] if key else None,
    ]


def _index(index: Any) -> tuple[Any, ...]:
    return index.name, index.fields, index.unique


def state(tables: Iterable[sa.Table], dialect: Dialect) -> SchemaState:
    """Return what *tables* are in the words of *dialect*'s catalogue."""
    return SchemaState({str(table.name): _table(table, dialect) for table in tables})


def _table(table: sa.Table, dialect: Dialect) -> Table:
    return Table(
        str(table.name),
        tuple(_column(column, dialect) for column in table.columns),
        tuple(str(column.name) for column in table.primary_key.columns),
        tuple(sorted((_made_index(index) for index in table.indexes), key=lambda index: index.columns)),
        tuple(sorted((_foreign_key(key) for key in table.foreign_key_constraints), key=lambda key: key.meaning)),
    )


def _column(column: sa.Column[Any], dialect: Dialect) -> Column:
    kind = dialect.type_compiler_instance.process(column.type)
    spelled = _COLLATION.sub("", kind).lower()
    if dialect.name == "postgresql":
        spelled = spelled.replace("varchar", "character varying")
    collation = _COLLATION.search(kind)
    return Column(
        str(column.name),
        spelled,
        bool(column.nullable),
        identity=column.identity is not None,
        collation=collation.group(1).strip('"') if collation else None,
    )


def _made_index(index: sa.Index) -> Index:
    return Index(tuple(str(column.name) for column in index.columns), bool(index.unique), str(index.name))


def _foreign_key(key: sa.ForeignKeyConstraint) -> ForeignKey:
    targets = tuple(str(element.column.name) for element in key.elements)
    return ForeignKey(
        tuple(map(str, key.column_keys)),
        str(key.referred_table.name),
        targets,
        key.ondelete or "NO ACTION",
        name=str(key.name or ""),
    )
