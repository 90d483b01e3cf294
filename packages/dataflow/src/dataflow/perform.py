"""The whole life of one operation, in the order in which it happens.

Rule 1: this module decides the order and nothing else; each step lives elsewhere.
Rule 2: it never imports SQLAlchemy.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from dataflow.effects import DataPlan, Deeds, after_commit
from dataflow.model.registry import Model
from dataflow.operations import plans, walled
from dataflow.operations import values as ops
from dataflow.operations.dialect import Dialect
from dataflow.rewrites import apply as rewrites
from dataflow.rewrites import tenancy
from kailash.context import ANONYMOUS, Context, current, settled


def perform(
    operation: ops.Operation, model: Model, context: Context, dialect: Dialect, now: dt.datetime, *, joins: bool = False
) -> DataPlan[Any]:
    """Return the plan of *operation* as the model's policies let it run; *now* is the time it writes, in UTC.

    joins: whether it runs in a transaction with others.
    """
    return planned(rewrites.apply(operation, model, context, now), model, context, dialect, now, joins=joins)


def planned(
    operation: ops.Operation, model: Model, context: Context, dialect: Dialect, now: dt.datetime, *, joins: bool = False
) -> DataPlan[Any]:
    """Return the plan of *operation*, which policy has rewritten, with what is told and made old by it."""
    plan = plans.plan(operation, model, dialect)
    deeds: Deeds = ()
    writes = not isinstance(operation, ops.ASKING)
    if model.teller is not None and (writes or model.spec.options.multi_tenant):
        whose = current() if context is ANONYMOUS else settled(context)
        if writes:
            plan = model.teller.tell(plan, operation, whose, dialect, now, joins=joins)
            deeds = model.teller.deeds()
        if model.spec.options.multi_tenant and whose.tenant is None:
            plan = model.teller.tell_of_all(plan, operation, whose, now)
    if model.walled:
        plan = walled.within(plan, tenant_of(model, context))
    if writes and model.touch:
        deeds += model.touch.deeds(type(operation), tenant_of(model, context))
    return _followed(plan, deeds) if deeds else plan


def kept(operation: ops.Operation, model: Model, context: Context) -> bool:
    """Whether an answer that is kept will do. Not for all tenants where that is to be told each time."""
    if model.cache is None or not isinstance(operation, ops.READS):
        return False
    if isinstance(operation, ops.Read | ops.List) and operation.include:
        return False
    return model.teller is None or not model.spec.options.multi_tenant or tenancy.tenant_of(context) is not None


def tenant_of(model: Model, context: Context) -> str | None:
    """Return whose records an operation on *model* is about; None: everybody's, or nobody's."""
    return tenancy.tenant_of(context) if model.spec.options.multi_tenant else None


def _followed(plan: DataPlan[Any], deeds: Deeds) -> DataPlan[Any]:
    """Asked for before the plan: what it commits before it fails is told, and makes answers old, as well."""
    yield from after_commit(*deeds)
    return (yield from plan)
