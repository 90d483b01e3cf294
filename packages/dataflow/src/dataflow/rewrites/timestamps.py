"""Stamp ``created_at`` and ``updated_at``, which callers cannot set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from dataflow.query.assign import Assignment
from dataflow.rewrites import batches
from kailash.context import Context

UPDATED: Final = "updated_at"


def rewrites(spec: ModelSpec) -> Mapping[type, Callable[[Any, Context, dt.datetime], Any]]:
    """Return what the time makes of each kind of operation."""
    if not spec.stamps:
        return {}
    one = Stamping(spec.stamps)
    kinds: dict[type, Callable[[Any, Context, dt.datetime], Any]] = {
        ops.Create: one.create,
        ops.Upsert: one.upsert,
        **dict.fromkeys((ops.BulkCreate, ops.BulkUpsert), one.bulk),
    }
    if UPDATED in spec.stamps:
        kinds |= {
            ops.Update: one.update,
            ops.BulkUpdate: one.bulk_update,
            **dict.fromkeys((ops.Delete, ops.BulkDelete), one.mark),
        }
    return kinds


class Stamping:
    """The rewrites of one model, in UTC."""

    __slots__ = ("_names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def create(self, values: dict[str, Any], context: Context, now: dt.datetime) -> None:
        """Stamp a new record."""
        for name in self._names:
            values[name] = now

    def upsert(self, operation: ops.Upsert, context: Context, now: dt.datetime) -> ops.Upsert:
        """Stamp a new record, or one that is changed."""
        create = {**operation.create, **dict.fromkeys(self._names, now)}
        return replace(operation, create=create, update=self._touched(operation.update, now))

    def bulk(self, operation: Any, context: Context, now: dt.datetime) -> Any:
        """Stamp new records, and those that they change."""
        given = UPDATED if UPDATED in self._names else ""
        stamps = dict.fromkeys(self._names, now)
        return replace(operation, batches=batches.extended(operation.batches, stamps, given=given))

    def update(self, operation: ops.Update, context: Context, now: dt.datetime) -> ops.Update:
        """Stamp what is changed."""
        return replace(operation, changes=self._touched(operation.changes, now))

    def bulk_update(self, operation: ops.BulkUpdate, context: Context, now: dt.datetime) -> ops.BulkUpdate:
        """Stamp what is changed."""
        stamp = {UPDATED: Assignment("set", now)}
        constants = {**operation.constants, **stamp}
        return replace(operation, changes=self._touched(operation.changes, now), constants=constants)

    def mark(self, operation: Any, context: Context, now: dt.datetime) -> Any:
        """Stamp what is marked as deleted; what is removed bears nothing."""
        return replace(operation, marks=self._touched(operation.marks, now)) if operation.marks else operation

    def _touched(self, changes: ops.Changes, now: dt.datetime) -> ops.Changes:
        """The changes, and that of the time; what changes nothing leaves the time alone."""
        if not changes or UPDATED not in self._names:
            return changes
        return {**changes, UPDATED: Assignment("set", now)}
