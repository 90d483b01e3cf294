"""The plan of upsert. PostgreSQL: one INSERT ... ON CONFLICT. SQLite: UPDATE, then INSERT where nothing was found.

SQLite's RETURNING cannot tell an inserted row from an updated one. Only one of the statements writes, so that they need
no transaction of their own; who loses the race between them changes what the winner stored.
"""

from __future__ import annotations

from typing import Any

from dataflow.effects import DataPlan, query
from dataflow.errors import DuplicateError
from dataflow.model.registry import Model
from dataflow.model.spec import TENANT
from dataflow.operations import late, limits
from dataflow.operations import values as ops
from dataflow.operations.dialect import Dialect
from dataflow.query import binding
from kailash.conditions import EVERYTHING, All, Test


def plan(operation: ops.Upsert, model: Model, dialect: Dialect) -> DataPlan[ops.Upserted]:
    """Return the stored record, and whether it is new."""
    names = yield from limits.watched(model.spec, operation.update)
    if dialect == "postgresql":
        upserted = yield from _on_conflict(operation, model)
    else:
        upserted = yield from _update_or_insert(operation, model)
    limits.check(model.spec, names, [upserted.record])
    return upserted


def _on_conflict(operation: ops.Upsert, model: Model) -> DataPlan[ops.Upserted]:
    names = tuple(operation.create)
    changes, changed = binding.changes(operation.update)
    shape = (model, "upsert", names, operation.match, changes, operation.where.shape)
    build = late.statement("upsert", model, names, operation.match, operation.update, operation.where)
    values: dict[str, Any] = {**operation.create, **changed, **binding.parameters(operation.where)}
    rows = yield from query(shape, build, values, writes=True)
    if not rows.items:
        raise _elsewhere(operation)
    record = rows.items[0]
    return ops.Upserted(record, record.pop("_created"))


def _update_or_insert(operation: ops.Upsert, model: Model) -> DataPlan[ops.Upserted]:
    same = All(tuple([Test(name, "eq", operation.create[name]) for name in operation.match]))
    rows = yield from _updated(operation, model, same)
    if rows:
        return ops.Upserted(rows[0], created=False)
    names = tuple(operation.create)
    build = late.statement("insert", model, names)
    try:
        inserted = yield from query((model, "insert", names), build, operation.create, writes=True, guarded=True)
    except DuplicateError:
        rows = yield from _updated(operation, model, same)
        if not rows:
            raise
        return ops.Upserted(rows[0], created=False)  # another one stored it in between
    return ops.Upserted(inserted.items[0], created=True)


def _updated(operation: ops.Upsert, model: Model, same: All) -> DataPlan[list[dict[str, Any]]]:
    where = same if operation.where is EVERYTHING else same & operation.where
    changes, changed = binding.changes(operation.update)
    rows = yield from query(
        (model, "update or read", changes, where.shape),
        late.statement("update_or_read", model, operation.update, where),
        {**binding.parameters(where), **changed},
        writes=True,
    )
    return rows.items


def _elsewhere(operation: ops.Upsert) -> DuplicateError:
    fields = ", ".join([name for name in operation.match if name != TENANT])
    return DuplicateError(f"another {operation.model} has the same {fields} and may not be changed here")
