"""The plan of count: one SELECT count(*)."""

from __future__ import annotations

from dataflow.effects import DataPlan
from dataflow.model.registry import Model
from dataflow.operations import values as ops
from dataflow.operations.chosen import counted


def plan(operation: ops.Count, model: Model) -> DataPlan[int]:
    """Return how many records the filter finds."""
    return (yield from counted(operation.where, model))
