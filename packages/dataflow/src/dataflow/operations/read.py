"""The plan of read: one SELECT of at most one record."""

from __future__ import annotations

from dataflow.effects import DataPlan, Row, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen


def plan(operation: ops.Read, model: Model) -> DataPlan[Row | None]:
    """Return the record of that id, or the first that the filter finds, in order of id; or None."""
    shape, values = chosen(operation.id, operation.where)
    rows = yield from query(
        (model, "read", operation.fields, shape),
        late.statement("read", model, operation.fields, operation.where, by_id=operation.id is not None),
        values,
    )
    return rows.items[0] if rows.items else None
