"""A plan behind the wall that PostgreSQL keeps between tenants: its transaction says whose rows it may touch.

Rule 1: what it says ends with the transaction; a connection of the pool remembers nothing of it.
Rule 2: each plan says it anew: those before it in the same transaction may have been another tenant's.
"""

from __future__ import annotations

from typing import Final, TypeVar

from dataflow.effects import DataPlan, atomically, query
from dataflow.operations import late

T = TypeVar("T")

SETTING: Final = "dataflow.tenant"
EVERY: Final = "dataflow.all_tenants"  # "on": the rows of every tenant


def within(plan: DataPlan[T], tenant: str | None) -> DataPlan[T]:
    """Return *plan* confined to the rows of *tenant*; None: to those of all of them."""
    yield from atomically(savepoint=False)
    values = {"_tenant": tenant or "", "_every": "on" if tenant is None else ""}
    yield from query("wall", late.statement("wall", SETTING, EVERY), values)
    return (yield from plan)
