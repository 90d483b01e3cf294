"""Stamp ``created_at`` and ``updated_at``, which callers cannot set."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from msgspec.structs import replace

from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from dataflow.query.assign import Assignment

UPDATED: Final = "updated_at"


def stamp(operation: ops.Operation, model: ModelSpec, now: dt.datetime) -> ops.Operation:
    """Return *operation* with the time of what it writes, in UTC."""
    if not model.managed:
        return operation
    match operation:
        case ops.Create():
            return ops.Create(operation.model, {**operation.values, **_both(model, now)})
        case ops.Update():
            return replace(operation, changes=_touched(operation.changes, model, now))
        case ops.Upsert():
            create = {**operation.create, **_both(model, now)}
            return replace(operation, create=create, update=_touched(operation.update, model, now))
        case ops.BulkCreate():
            return replace(operation, batches=_extended(operation.batches, model, now))
        case ops.BulkUpsert():
            return replace(operation, batches=_extended(operation.batches, model, now))
        case ops.BulkUpdate():
            constants = {UPDATED: now} if UPDATED in model.managed else {}
            return replace(operation, changes=_touched(operation.changes, model, now), constants=constants)
        case _:
            return operation


def _both(model: ModelSpec, now: dt.datetime) -> dict[str, Any]:
    return dict.fromkeys(model.managed, now)


def _touched(changes: ops.Changes, model: ModelSpec, now: dt.datetime) -> ops.Changes:
    """The changes, and that of the time; what changes nothing leaves the time alone."""
    if not changes or UPDATED not in model.managed:
        return changes
    return {**changes, UPDATED: Assignment("set", now)}


def _extended(batches: tuple[ops.Batch, ...], model: ModelSpec, now: dt.datetime) -> tuple[ops.Batch, ...]:
    stamps = (now,) * len(model.managed)
    return tuple([_stamped(batch, model.managed, stamps) for batch in batches])


def _stamped(batch: ops.Batch, names: tuple[str, ...], stamps: tuple[dt.datetime, ...]) -> ops.Batch:
    given = (*batch.given, UPDATED) if UPDATED in names else batch.given
    rows = [row + stamps for row in batch.rows]
    return ops.Batch((*batch.fields, *names), rows, given, batch.positions)
