"""The plan of create: one INSERT that returns the stored record."""

from __future__ import annotations

from dataflow.effects import DataPlan, Row, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.operations import values as ops


def plan(operation: ops.Create, model: Model) -> DataPlan[Row]:
    """Return the stored record, with what the database added."""
    names = tuple(operation.values)
    rows = yield from query(
        (model, "insert", names), late.statement("insert", model, names), operation.values, writes=True
    )
    return rows.items[0]
