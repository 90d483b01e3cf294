"""The plan of delete: one DELETE that returns the ids of what it removed, or an UPDATE that marks it."""

from __future__ import annotations

from typing import Any

from dataflow.effects import DataPlan, query
from dataflow.model.registry import Model
from dataflow.operations import conflicts, late
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen
from dataflow.query import binding


def plan(operation: ops.Delete, model: Model) -> DataPlan[list[Any]]:
    """Return the ids that were removed."""
    where = conflicts.expected(operation)
    shape, values = chosen(operation.id, where)
    marks, marked = binding.changes(operation.marks) if operation.marks else ((), {})
    values.update(marked)
    rows = yield from query(
        (model, "delete", marks, shape),
        late.statement("delete", model, operation.marks, where, by_id=operation.id is not None),
        values,
        writes=True,
    )
    if operation.version is not None and not rows.items:
        yield from conflicts.refuse(operation, model)
    return [row["id"] for row in rows.items]
