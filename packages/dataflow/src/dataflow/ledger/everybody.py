"""Who acted for every tenant at once, and why: an entry of the audit log for each operation, also one that only reads.

Rule: the entry is in the transaction of the operation, and before it: what cannot be audited does not happen.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dataflow.effects import DataPlan, Deeds, after_commit, atomically, query
from dataflow.model import naming
from dataflow.operations import values as ops
from kailash._lazy import Late
from kailash.context import Context

if TYPE_CHECKING:
    from dataflow.ledger import statements
else:  # SQLAlchemy: 110 ms
    statements = Late("dataflow.ledger.statements")

T = TypeVar("T")


def noted(
    plan: DataPlan[T],
    operation: ops.Operation,
    context: Context,
    now: dt.datetime,
    deeds: Deeds,
) -> DataPlan[T]:
    """Return *plan*, with an entry of who does it for all tenants before it. deeds: after its commit."""
    yield from atomically(savepoint=False)
    values = {
        "_at": now,
        "_model": operation.model,
        "_reason": msgspec.json.encode({"reason": context.all_tenants}).decode(),
        "_actor": context.principal,
        "_channel": context.channel,
        "_request_id": context.request_id or None,
        "_operation": naming.snake(type(operation).__name__),
    }
    shape = ("ledger", "all tenants", ())
    yield from query(shape, lambda: statements.statement("all tenants"), values, writes=True)
    yield from after_commit(*deeds)
    return (yield from plan)


def reason(text: str) -> str:
    """Return the reason of an entry, as it was noted."""
    found: str = msgspec.json.decode(text)["reason"]
    return found
