"""Ids that the database makes, where a caller gives one or wants to know many beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from dataflow.effects import DataPlan, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.operations.dialect import Dialect
from dataflow.query import binding


def reserved(count: int, model: Model, dialect: Dialect) -> DataPlan[Sequence[int]]:
    """Take *count* ids that nobody else will get: from the sequence, or under SQLite's write lock."""
    counting = True
    if dialect == "sqlite":  # a database without any AUTOINCREMENT has no such table: one that was there first
        found = yield from query("counting", late.statement("counting"), {}, writes=True)
        counting = bool(found.items[0]["count"])
    build = late.statement("reserve_ids", model, dialect, counting=counting)
    rows = yield from query((model, "reserve ids", counting), build, {"_count": count}, writes=True)
    if dialect == "postgresql":
        return [row["id"] for row in rows.items]
    last = rows.items[0]["id"]
    return range(last + 1, last + 1 + count)


def advanced(given: int, model: Model, dialect: Dialect) -> DataPlan[None]:
    """Let the next made id come after *given*, which a caller chose. SQLite sees to it by itself."""
    if dialect == "postgresql":
        build = late.statement("advance_ids", model)
        yield from query((model, "advance ids"), build, {binding.ID: given}, writes=True)
