"""What rewrites add to the rows of bulk operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataflow.operations.values import Batch


def extended(batches: tuple[Batch, ...], values: Mapping[str, Any], *, given: str = "") -> tuple[Batch, ...]:
    """Return *batches* with these values in every row. given: the one that an existing record takes as well."""
    names, more = tuple(values), tuple(values.values())
    return tuple([_extended(batch, names, more, given) for batch in batches])


def _extended(batch: Batch, names: tuple[str, ...], more: tuple[Any, ...], given: str) -> Batch:
    rows = [row + more for row in batch.rows]
    return Batch((*batch.fields, *names), rows, (*batch.given, given) if given else batch.given, batch.positions)
