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
    rewrites = model.rewrites
    if rewrites is None:
        rewrites = model.rewrites = of_model(model.spec)
    for rewrite in rewrites[type(operation)]:
        operation = rewrite(operation, context, now)
    return operation


def of_model(spec: ModelSpec) -> Mapping[type, tuple[Rewrite, ...]]:
    """Return ``{kind of operation: its rewrites, in order}``."""
    policies = [policy.rewrites(spec) for policy in ORDER]
    found = {kind: tuple([policy[kind] for policy in policies if kind in policy]) for kind in KINDS}
    return {**found, ops.Create: (_creating(found[ops.Create]),) if found[ops.Create] else ()}


def _creating(additions: tuple[Rewrite, ...]) -> Rewrite:
    def create(operation: ops.Create, context: Context, now: dt.datetime) -> ops.Create:
        values = dict(operation.values)
        for add in additions:
            add(values, context, now)
        return ops.Create(operation.model, values)

    return create
