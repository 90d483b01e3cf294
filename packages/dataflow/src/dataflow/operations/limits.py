"""Limits of fields that a change computes: only the database knows what ``{"$dec": 1}`` makes of a stock.

A change that could leave the limits runs in a transaction (a savepoint, in one), so that what broke them is undone.
"""

from __future__ import annotations

from collections.abc import Iterable

from dataflow.effects import DataPlan, Row, atomically
from dataflow.model.spec import ModelSpec
from dataflow.operations.values import Changes


def watched(spec: ModelSpec, changes: Changes) -> DataPlan[tuple[str, ...]]:
    """Return the computed fields that have limits; ask that the change can be undone where there are any."""
    computed = [name for name, change in changes.items() if change.operator != "set"]
    names = tuple([name for name in computed if not spec.record.unconstrained(name)])
    if names:
        yield from atomically()
    return names


def check(spec: ModelSpec, names: tuple[str, ...], records: Iterable[Row]) -> None:
    """Refuse records whose fields *names* have left their limits. Raises: InvalidInputError."""
    for record in records if names else ():
        for name in names:
            spec.record.check_field(name, record[name])
