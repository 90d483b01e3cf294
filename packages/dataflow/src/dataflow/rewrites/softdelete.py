"""Delete by marking: a record that is marked stays, and is found by nobody who does not ask for it.

Rule 1: whatever reads, changes or matches passes the marked ones by, unless the operation says otherwise.
Rule 2: a deletion marks; only ``deleted="only"`` (a purge) removes, and what is not marked is not purged.
Rule 3: a unique index leaves the marked ones out (`dataflow.model.settings`); an id is taken for good.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from dataflow.model.spec import DELETED, ModelSpec
from dataflow.operations import values as ops
from dataflow.query.assign import Assignment
from dataflow.query.binding import Ready, narrowed, ready
from kailash.conditions import Test
from kailash.context import Context

LIVE: Final[Ready] = ready(Test(DELETED, "null", True))
MARKED: Final[Ready] = ready(Test(DELETED, "null", False))


def rewrites(spec: ModelSpec) -> Mapping[type, Callable[[Any, Context, dt.datetime], Any]]:
    """Return what soft deletion makes of each kind of operation.

    In a multi-tenant model tenancy narrows what is read to the live records too, in one step: reads are what is
    asked most.
    """
    if not spec.options.soft_delete:
        return {}
    reads = () if spec.options.multi_tenant else ops.READS
    return {
        **dict.fromkeys((*reads, ops.Update), seen),
        **dict.fromkeys((ops.Upsert, ops.BulkUpdate, ops.BulkUpsert), _live),
        ops.Delete: _marked,
        ops.BulkDelete: _all_marked,
    }


def _live(operation: Any, context: Context, now: dt.datetime) -> Any:
    return replace(operation, where=narrowed(operation.where, LIVE))


def seen(operation: Any, context: Context, now: dt.datetime) -> Any:
    """Find the live records, all of them, or the marked ones: as the operation says."""
    if operation.deleted == "hidden":
        return replace(operation, where=narrowed(operation.where, LIVE))
    return operation if operation.deleted == "shown" else replace(operation, where=narrowed(operation.where, MARKED))


def _marked(operation: ops.Delete, context: Context, now: dt.datetime) -> ops.Delete:
    if operation.deleted == "only":
        return replace(operation, where=narrowed(operation.where, MARKED))
    return replace(operation, where=narrowed(operation.where, LIVE), marks={DELETED: Assignment("set", now)})


def _all_marked(operation: ops.BulkDelete, context: Context, now: dt.datetime) -> ops.BulkDelete:
    return replace(operation, where=narrowed(operation.where, LIVE), marks={DELETED: Assignment("set", now)})
