"""The order of the rewrites, and nothing else.

A change's version is counted before a deletion becomes a mark, which counts too; the mark is narrowed to the live
records before these are narrowed to the tenant's, so that both are one condition; the time is stamped on all of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, get_args

from dataflow.model.registry import Model
from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from dataflow.rewrites import softdelete, tenancy, timestamps, versioning
from kailash.context import Context

Rewrite: TypeAlias = Callable[[Any, Context, dt.datetime], Any]

ORDER: Final = (softdelete, versioning, tenancy, timestamps)
KINDS: Final[tuple[type, ...]] = get_args(ops.Operation)


def apply(operation: ops.Operation, model: Model, context: Context, now: dt.datetime) -> ops.Operation:
    """Return *operation* as the model's policies let it run. Raises: TenantRequiredError, InvalidTenantError."""
    rewrites: Mapping[type, Rewrite] | None = model.rewrites
    if rewrites is None:
        rewrites = model.rewrites = of_model(model.spec)
    rewrite = rewrites.get(type(operation))
    return operation if rewrite is None else rewrite(operation, context, now)


def of_model(spec: ModelSpec) -> Mapping[type, Rewrite]:
    """Return ``{kind of operation: what the policies make of it, in order}``; without a kind that stays as it is."""
    policies = [policy.rewrites(spec) for policy in ORDER]
    found = {kind: tuple([policy[kind] for policy in policies if kind in policy]) for kind in KINDS}
    return {kind: _creating(found[kind]) if kind is ops.Create else _one(found[kind]) for kind in KINDS if found[kind]}


def _one(rewrites: tuple[Rewrite, ...]) -> Rewrite:
    """Return all of them as one."""
    if len(rewrites) == 1:
        return rewrites[0]

    def rewrite(operation: Any, context: Context, now: dt.datetime) -> Any:
        for each in rewrites:
            operation = each(operation, context, now)
        return operation

    return rewrite


def _creating(additions: tuple[Rewrite, ...]) -> Rewrite:
    def create(operation: ops.Create, context: Context, now: dt.datetime) -> ops.Create:
        values = dict(operation.values)
        for add in additions:
            add(values, context, now)
        return ops.Create(operation.model, values)

    return create
