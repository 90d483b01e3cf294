"""Operation -> plan: the one match that picks it."""

from __future__ import annotations

from typing import Any, assert_never

from dataflow.effects import DataPlan
from dataflow.model.registry import Model
from dataflow.operations import aggregate, bulk, count, create, delete, list, past, read, update, upsert
from dataflow.operations import values as ops
from dataflow.operations.dialect import Dialect


def plan(operation: ops.Operation, model: Model, dialect: Dialect) -> DataPlan[Any]:  # noqa: C901 - one for each
    """Return the plan of *operation* on *model*, for a database of that *dialect*."""
    match operation:
        case ops.Read():
            return read.plan(operation, model) if operation.as_of is None else past.seen(read.plan, operation, model)
        case ops.List():
            return list.plan(operation, model) if operation.as_of is None else past.seen(list.plan, operation, model)
        case ops.Create():
            return create.plan(operation, model, dialect)
        case ops.Update():
            return update.plan(operation, model)
        case ops.Delete():
            return delete.plan(operation, model)
        case ops.Count():
            return count.plan(operation, model) if operation.as_of is None else past.seen(count.plan, operation, model)
        case ops.History():
            return past.history(operation, model)
        case ops.Aggregate():
            return aggregate.plan(operation, model)
        case ops.Upsert():
            return upsert.plan(operation, model, dialect)
        case ops.BulkCreate():
            return bulk.create(operation, model, dialect)
        case ops.BulkUpdate():
            return bulk.update(operation, model, dialect)
        case ops.BulkDelete():
            return bulk.delete(operation, model)
        case ops.BulkUpsert():
            return bulk.upsert(operation, model, dialect)
        case _:
            assert_never(operation)
