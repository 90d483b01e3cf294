"""Which records an operation is about: an id, a filter, or both, as a shape and its bind values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from dataflow.effects import DataPlan, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.query.binding import ID, Ready, parameters
from kailash.conditions import EVERYTHING, Where


def chosen(id: Any, where: Where) -> tuple[Hashable, dict[str, Any]]:
    """Return what the SQL text depends on, and the bind values."""
    if where is EVERYTHING:
        return (id is not None, None), ({} if id is None else {ID: id})
    if type(where) is Ready:  # what policies ask of most reads, and nothing besides
        return (id is not None, where.key), ({**where.bound} if id is None else {ID: id, **where.bound})
    values = parameters(where)
    if id is not None:
        values[ID] = id
    return (id is not None, where.shape), values


def counted(where: Where, model: Model) -> DataPlan[int]:
    """Return how many records of *model* match."""
    shape, values = chosen(None, where)
    rows = yield from query((model, "count", shape), late.statement("count", model, where), values)
    return int(rows.items[0]["count"])
