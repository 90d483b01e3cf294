"""The plan of update: one UPDATE that returns the changed records."""

from __future__ import annotations

from dataflow.effects import DataPlan, Row, query
from dataflow.model.registry import Model
from dataflow.operations import conflicts, late, limits, past
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen
from dataflow.query import binding


def plan(operation: ops.Update, model: Model) -> DataPlan[list[Row]]:
    """Return the records as they are after the change."""
    if operation.revert is not None:
        operation = yield from past.reverting(operation, model)
    names = yield from limits.watched(model.spec, operation.changes)
    where = conflicts.expected(operation)
    shape, values = chosen(operation.id, where)
    changes, changed = binding.changes(operation.changes)
    values.update(changed)
    rows = yield from query(
        (model, "update", changes, shape),
        late.statement("update", model, operation.changes, where, by_id=operation.id is not None),
        values,
        writes=True,
    )
    if operation.version is not None and not rows.items:
        yield from conflicts.refuse(operation, model)
    limits.check(model.spec, names, rows.items)
    return rows.items
