"""The whole life of one operation, in the order in which it happens.

Rule 1: this module decides the order and nothing else; each step lives elsewhere.
Rule 2: it never imports SQLAlchemy.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from dataflow.effects import DataPlan, after_commit
from dataflow.model.registry import Model
from dataflow.operations import plans
from dataflow.operations import values as ops
from dataflow.operations.dialect import Dialect
from dataflow.rewrites import apply as rewrites
from kailash.context import ANONYMOUS, Context, current, settled


def perform(
    operation: ops.Operation, model: Model, context: Context, dialect: Dialect, now: dt.datetime
) -> DataPlan[Any]:
    """Return the plan of *operation* as the model's policies let it run; *now* is the time it writes, in UTC."""
    return planned(rewrites.apply(operation, model, context, now), model, context, dialect, now)


def planned(
    operation: ops.Operation, model: Model, context: Context, dialect: Dialect, now: dt.datetime
) -> DataPlan[Any]:
    """Return the plan of *operation*, which policy has rewritten, with what is told and made old by it."""
    plan = plans.plan(operation, model, dialect)
    if isinstance(operation, ops.ASKING):
        return plan
    if model.teller is not None:
        whose = current() if context is ANONYMOUS else settled(context)
        plan = model.teller.tell(plan, operation, whose, dialect, now)
    return _bumping(plan, model) if model.bumps else plan


def _bumping(plan: DataPlan[Any], model: Model) -> DataPlan[Any]:
    """Asked for before the plan: what it commits before it fails makes answers old as well."""
    yield from after_commit(*model.bumps)
    return (yield from plan)
