"""The whole life of one operation, in the order in which it happens.

Rule 1: this module decides the order and nothing else; each step lives elsewhere.
Rule 2: it never imports SQLAlchemy.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from dataflow.effects import DataPlan
from dataflow.model.registry import Model
from dataflow.operations import plans
from dataflow.operations import values as ops
from dataflow.operations.dialect import Dialect
from dataflow.rewrites import apply as rewrites
from kailash.context import Context


def perform(
    operation: ops.Operation, model: Model, context: Context, dialect: Dialect, now: dt.datetime
) -> DataPlan[Any]:
    """Return the plan of *operation* as the model's policies let it run; *now* is the time it writes, in UTC."""
    plan = plans.plan(rewrites.apply(operation, model.spec, now), model, dialect)
    if model.teller is not None and not isinstance(operation, ops.READS):
        return model.teller.tell(plan, operation, context, dialect, now)  # type: ignore[no-any-return]  # as it came
    return plan
