"""The plan of create: one INSERT that returns the stored record."""

from __future__ import annotations

from dataflow.effects import DataPlan, Row, atomically, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.operations import values as ops
from dataflow.operations.dialect import Dialect
from dataflow.operations.identity import advanced


def plan(operation: ops.Create, model: Model, dialect: Dialect) -> DataPlan[Row]:
    """Return the stored record, with what the database added."""
    names = tuple(operation.values)
    numbered = model.spec.autoincrement and "id" in operation.values
    if numbered:
        yield from atomically()
    rows = yield from query(
        (model, "insert", names), late.statement("insert", model, names), operation.values, writes=True
    )
    if numbered:
        yield from advanced(operation.values["id"], model, dialect)
    return rows.items[0]
