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


def perform(operation: ops.Operation, model: Model, dialect: Dialect, now: dt.datetime) -> DataPlan[Any]:
    """Return the plan of *operation* as the model's policies let it run; *now* is the time it writes, in UTC."""
    return plans.plan(rewrites.apply(operation, model.spec, now), model, dialect)
