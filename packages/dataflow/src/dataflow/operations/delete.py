"""The plan of delete: one DELETE that returns the ids of what it removed."""

from __future__ import annotations

from typing import Any

from dataflow.effects import DataPlan, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen


def plan(operation: ops.Delete, model: Model) -> DataPlan[list[Any]]:
    """Return the ids that were removed."""
    shape, values = chosen(operation.id, operation.where)
    rows = yield from query(
        (model, "delete", shape),
        late.statement("delete", model, operation.where, by_id=operation.id is not None),
        values,
        writes=True,
    )
    return [row["id"] for row in rows.items]
