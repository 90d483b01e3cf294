"""The order of the rewrites, and nothing else.

Rule: a rewrite keeps the kind of the operation, so the outcome keeps its shape.
"""

from __future__ import annotations

import datetime as dt

from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from dataflow.rewrites import timestamps


def apply(operation: ops.Operation, model: ModelSpec, now: dt.datetime) -> ops.Operation:
    """Return *operation* as the model's policies let it run."""
    return timestamps.stamp(operation, model, now)
