"""Equality and membership of values that are stored as JSON, as PostgreSQL's jsonb has them.

A boolean is no number; ``1`` and ``1.0`` are one number; an object's keys have no order
(https://www.postgresql.org/docs/current/datatype-json.html). What JSON has no type for compares as the text
that is stored for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from kailash import shapes


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal as JSON."""
    return _equal(shapes.plain(one), shapes.plain(other))


def has(members: Iterable[Any], wanted: Any) -> bool:
    """Tell whether *wanted*, a scalar, is one of *members*."""
    member = shapes.plain(wanted)
    return any(_equal(shapes.plain(each), member) for each in members)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, float) is not isinstance(other, float):
        return _equal_numbers(one, other)
    return bool(one == other)


def _equal_numbers(one: Any, other: Any) -> bool:
    """Compare as jsonb does: it keeps a float's shortest decimal text, and compares by that."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return Decimal(repr(one)) == Decimal(repr(other))
    return False
