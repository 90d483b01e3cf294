"""The plan of delete: one DELETE that returns the ids of what it removed, or an UPDATE that marks it."""

from __future__ import annotations

from typing import Any

from dataflow.effects import DataPlan, atomically, query
from dataflow.model.registry import Model
from dataflow.operations import conflicts, late, past
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen
from dataflow.query import binding


def plan(operation: ops.Delete, model: Model) -> DataPlan[list[Any]]:
    """Return the ids that were removed. A purge removes their versions too."""
    purging = operation.deleted == "only" and model.past is not None
    if purging:
        yield from atomically()
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
    ids = [row["id"] for row in rows.items]
    if purging and ids:
        yield from past.forget(ids, model)
    return ids
