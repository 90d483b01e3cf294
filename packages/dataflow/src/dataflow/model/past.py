"""Every version of every record of a model: the spec of the table that keeps them.

Rule 1: it has the columns of the model, none of which is required: a version may be older than a column.
Rule 2: it is written by triggers alone (`dataflow.ledger.keeping`); nothing in it is ever changed.
Rule 3: what it says of a version begins with an underscore, as no field of a model does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from dataflow.model import naming
from dataflow.model.spec import NO_OPTIONS, FieldSpec, IndexSpec, ModelSpec
from kailash.shapes import REQUIRED

PREFIX: Final = "dataflow_versions_"
NUMBER: Final = "_number"  # versions of one record are in its order
AT: Final = "_at"
EVENT: Final = "_event"  # "create", "update", "delete": what happened to the record
WHO: Final = ("_actor", "_channel", "_request_id", "_operation")


def of(spec: ModelSpec) -> ModelSpec:
    """Return the spec of the table that keeps the versions of *spec*'s records."""
    table = table_name(spec.table)
    return ModelSpec(
        name=f"{spec.name} versions",
        table=table,
        module=spec.module,
        fields=(*[_column(field) for field in spec.fields], *_said()),
        indexes=(IndexSpec(naming.index_name(table, ("id", NUMBER), unique=False), ("id", NUMBER)),),
        options=NO_OPTIONS,
        renamed=_renamed(spec),
        keeps=spec.table,
    )


def table_name(table: str) -> str:
    """Return the name of the table of the versions of the records of *table*."""
    return naming.fit(PREFIX + table)


def _column(field: FieldSpec) -> FieldSpec:
    return replace(
        field,
        nullable=True,
        default=None,
        primary_key=False,
        autoincrement=False,
        generated=False,
        managed=False,
        foreign_key=None,
    )


def _said() -> tuple[FieldSpec, ...]:
    number = _own(NUMBER, int, nullable=False)
    return (
        replace(number, primary_key=True, autoincrement=True),
        _own(AT, datetime, nullable=False),
        _own(EVENT, str, nullable=False),
        *[_own(name, str, nullable=True) for name in WHO],
    )


def _own(name: str, kind: type, *, nullable: bool) -> FieldSpec:
    annotation: Any = kind | None if nullable else kind
    default = None if nullable else REQUIRED
    return FieldSpec(name=name, python_type=kind, annotation=annotation, nullable=nullable, default=default)


def _renamed(spec: ModelSpec) -> Mapping[str, str]:
    return {
        (table_name(was) if now == spec.table else was): (table_name(now) if now == spec.table else now)
        for was, now in spec.renamed.items()
    }
