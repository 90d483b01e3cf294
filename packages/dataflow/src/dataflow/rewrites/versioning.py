"""Count the versions of a record: 1, and one more with each change, a deletion that marks it among them.

Whether the record is of the version that the caller knows is asked in the statement that changes it
(`dataflow.operations.conflicts`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from dataflow.model.spec import VERSION, ModelSpec
from dataflow.operations import values as ops
from dataflow.query.assign import Assignment
from dataflow.rewrites import batches
from kailash.context import Context

FIRST: Final = {VERSION: 1}
NEXT: Final = {VERSION: Assignment("inc", 1)}


def rewrites(spec: ModelSpec) -> Mapping[type, Callable[[Any, Context, dt.datetime], Any]]:
    """Return what versions make of each kind of operation."""
    if not spec.options.versioned:
        return {}
    return {
        ops.Create: lambda values, *_: values.update(FIRST),
        ops.BulkCreate: lambda operation, *_: replace(operation, batches=batches.extended(operation.batches, FIRST)),
        ops.Upsert: _upsert,
        ops.BulkUpsert: _bulk_upsert,
        ops.Update: lambda operation, *_: replace(operation, changes={**operation.changes, **NEXT}),
        ops.BulkUpdate: _bulk_update,
        **dict.fromkeys((ops.Delete, ops.BulkDelete), _marked),
    }


def _upsert(operation: ops.Upsert, context: Context, now: dt.datetime) -> ops.Upsert:
    update = {**operation.update, **NEXT} if operation.update else {}  # what changes nothing makes no version
    return replace(operation, create={**operation.create, **FIRST}, update=update)


def _bulk_upsert(operation: ops.BulkUpsert, context: Context, now: dt.datetime) -> ops.BulkUpsert:
    return replace(operation, batches=batches.extended(operation.batches, FIRST), constants=NEXT)


def _bulk_update(operation: ops.BulkUpdate, context: Context, now: dt.datetime) -> ops.BulkUpdate:
    if operation.changes:
        return replace(operation, changes={**operation.changes, **NEXT})
    return replace(operation, constants=NEXT)


def _marked(operation: Any, context: Context, now: dt.datetime) -> Any:
    return replace(operation, marks={**operation.marks, **NEXT}) if operation.marks else operation
