"""Models -> what the database should hold: a digest without SQLAlchemy, and a `SchemaState` with it."""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dataflow.model.registry import Models
from dataflow.model.spec import FieldSpec, ModelSpec
from dataflow.schema import rules
from dataflow.schema.state import Check, Column, Dialect, ForeignKey, Index, SchemaState, Table
from kailash._lazy import Late

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import Dialect as Compiler

    from dataflow.model import types
else:
    types = Late("dataflow.model.types")  # SQLAlchemy: only when a schema is compared

EDITION: Final = 3  # of `dataflow.model.types` and of this module: a new one makes every database look again
NOW: Final = "CURRENT_TIMESTAMP"  # `dataflow.schema.ddl` spells it as our time stamps are spelled
_COLLATION: Final = re.compile(r'\s+collate\s+("[^"]*"|\S+)', re.IGNORECASE)


class Wanted(msgspec.Struct, frozen=True):
    """What models ask of a database."""

    state: SchemaState
    renames: Mapping[str, Mapping[str, str]]  # table -> what was -> what is, columns and the table itself
    fills: Mapping[tuple[str, str], str]  # table, column -> what records that are there are given, as a literal


def digest(specs: Iterable[ModelSpec]) -> str:
    """Return a digest of all that decides the tables of these models, in any order of the models."""
    spelled = sorted(map(_spelled_once, specs))
    return hashlib.sha256(b"%d;" % EDITION + b";".join(spelled)).hexdigest()


def _spelled_once(spec: ModelSpec) -> bytes:
    """Return `plain` as JSON, written once for each spec: it is asked for at every start, and more often in tests."""
    kept: bytes | None = spec.__dict__.get("_plain")
    if kept is None:
        kept = spec.__dict__["_plain"] = msgspec.json.encode(plain(spec))
    return kept


def plain(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the table of a model, as JSON has it; versions of a model are told apart by it."""
    return {
        "table": spec.table,
        "fields": [_field(field) for field in spec.fields],
        "indexes": [[index.name, index.fields, index.unique, *(["live"] * index.live)] for index in spec.indexes],
        "options": msgspec.to_builtins(spec.options, str_keys=True),
        "renamed": dict(spec.renamed),
    }


def _field(field: FieldSpec) -> dict[str, Any]:
    kind, key = field.python_type, field.foreign_key
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        kind = type(next(iter(kind)).value)
    said: dict[str, Any] = {"name": field.name, "type": getattr(kind, "__qualname__", str(kind))}
    for name in ("nullable", "primary_key", "autoincrement", "max_length", "naive", "column", "column_type"):
        if value := getattr(field, name):
            said[name] = value
    if field.encrypted is not None:
        said["encrypted"] = True
    if (default := rules.default(field)) is not None:
        said["default"] = default
    if (check := rules.check("", field, "postgresql")) is not None:
        said["rule"] = check.expression
    if key is not None:
        said["foreign_key"] = [str(key.target), key.on_delete]
    return said


def want(models: Models, compiler: Compiler) -> Wanted:
    """Return what *models* ask for, in the words of the catalogue of *compiler*'s database.

    Raises: ModelError where a foreign key points nowhere.
    """
    tables, fills, renames = {}, {}, {}
    _ = models.metadata  # all tables, those that keys point to among them
    for model in models.stored:
        spec = model.spec
        tables[spec.table] = _table(model.table, spec, compiler)
        for field in spec.fields:
            if (fill := _fill(field)) is not None:
                fills[spec.table, field.stored_as] = fill
        if spec.renamed:
            renames[spec.table] = spec.renamed
    return Wanted(SchemaState(dict(sorted(tables.items()))), renames, fills)


def _fill(field: FieldSpec) -> str | None:
    """What the records that are there before the field is get, where no DEFAULT does it."""
    if field.managed:
        return NOW
    if not rules.callable_default(field) or field.generated or field.encrypted:
        return None
    first, second = field.default(), field.default()
    if isinstance(first, datetime) and not field.naive:
        return NOW
    return rules.literal(first) if first == second else None  # a function that makes each one new: nobody knows


def _table(table: sa.Table, spec: ModelSpec, compiler: Compiler) -> Table:
    dialect: Dialect = "sqlite" if compiler.name == "sqlite" else "postgresql"
    columns = [_column(column, spec.by_name.get(str(column.key)), compiler) for column in table.columns]
    checked = [] if spec.keeps else spec.fields  # a version may be older than a rule
    said = [rules.check(spec.table, field, dialect) for field in checked if _as_declared(table, field, compiler)]
    checks: list[Check] = [check for check in said if check is not None]
    return Table(
        str(table.name),
        tuple(columns),
        tuple(str(column.name) for column in table.primary_key.columns),
        tuple(
            sorted((_index(index, dialect) for index in table.indexes), key=lambda each: (each.columns, each.unique))
        ),
        tuple(sorted((_foreign_key(key) for key in table.foreign_key_constraints), key=lambda key: key.meaning)),
        tuple(sorted(checks, key=lambda check: check.name)),
        primary_key_name=str(table.primary_key.name or ""),
        autoincrement=dialect == "sqlite" and bool(table.dialect_options["sqlite"]["autoincrement"]),
    )


def _column(column: sa.Column[Any], field: FieldSpec | None, compiler: Compiler) -> Column:
    spelled, collation = _spelled(column.type, compiler)
    declared = field is not None and _as_declared(column.table, field, compiler)
    return Column(
        str(column.name),
        spelled,
        bool(column.nullable),
        default=rules.default(field) if declared and field is not None else None,
        identity=column.identity is not None,
        collation=collation,
    )


def _as_declared(table: Any, field: FieldSpec, compiler: Compiler) -> bool:
    """Whether the column holds the field's values as they are: no policy has made something else of it."""
    if field.name not in table.columns:
        return False
    return _spelled(table.columns[field.name].type, compiler) == _spelled(types.column_type(field), compiler)


def _spelled(kind: Any, compiler: Compiler) -> tuple[str, str | None]:
    """Return the type as the catalogue spells it, and its collation."""
    text = compiler.type_compiler_instance.process(kind)
    spelled, collation = _lower(_COLLATION.sub("", text)), _COLLATION.search(text)
    if compiler.name == "postgresql":
        spelled = spelled.replace("varchar", "character varying")
    return spelled, collation.group(1).strip('"') if collation else None


def _lower(text: str) -> str:
    """Return *text* in small letters, but for what stands in quotes."""
    return re.sub(r'"[^"]*"|[^"]+', lambda part: part[0] if part[0][0] == '"' else part[0].lower(), text)


def _index(index: sa.Index, dialect: Dialect) -> Index:
    columns = tuple(str(column.name) for column in index.columns)
    where = index.dialect_options[dialect].get("where")
    return Index(columns, bool(index.unique), str(index.name), None if where is None else str(where))


def _foreign_key(key: sa.ForeignKeyConstraint) -> ForeignKey:
    targets = tuple(str(element.column.name) for element in key.elements)
    own, pointed = tuple(str(column.name) for column in key.columns), str(key.referred_table.name)
    return ForeignKey(
        own, pointed, targets, key.ondelete or "NO ACTION", name=str(key.name or ""), deferred=bool(key.deferrable)
    )
