"""The plan of an aggregate: one SELECT of groups, what is computed of each, and which of them are wanted."""

from __future__ import annotations

from dataflow.effects import DataPlan, Row, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.operations import values as ops
from dataflow.query import binding


def plan(operation: ops.Aggregate, model: Model) -> DataPlan[list[Row]]:
    """Return one row for each group, in the order asked for and then by the groups."""
    values = binding.parameters(operation.where)
    values.update(binding.parameters(operation.having, binding.HAVING))
    values.update({f"{binding.CONSTANT}{at}": value for at, value in enumerate(operation.constants)})
    if operation.limit is not None:
        values["_limit"] = operation.limit
    shape = (
        *(model, "aggregate", operation.groups, operation.measures, operation.order),
        *(operation.where.shape, operation.having.shape, operation.limit is None),
    )
    rows = yield from query(shape, late.statement("aggregate", model, operation), values)
    return rows.items
