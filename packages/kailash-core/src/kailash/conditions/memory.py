"""The meaning of a condition, in memory."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

from kailash.conditions import json_values, patterns
from kailash.conditions.values import All, Not, Some, Test, Where


def matches(where: Where, record: Mapping[str, Any]) -> bool:
    """Tell whether *where* holds for *record* (``{field: value as declared}``); an absent field is a null."""
    match where:
        case Test():
            return _holds(where, record.get(where.field))
        case All():
            return all(matches(part, record) for part in where.parts)
        case Some():
            return any(matches(part, record) for part in where.parts)
        case Not():
            return not matches(where.part, record)
        case _:
            assert_never(where)


def _holds(test: Test, value: Any) -> bool:
    if test.operator == "null":
        return (value is None) is test.value
    if value is None:
        return test.operator in _TRUE_OF_NULL
    return _TESTS[test.operator](value, test.value)


_TRUE_OF_NULL: Final = frozenset({"ne", "nin"})

_TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, members: value in members,
    "nin": lambda value, members: value not in members,
    "between": lambda value, bounds: bool(bounds[0] <= value <= bounds[1]),
    "contains": lambda value, part: part in value,
    "startswith": lambda value, part: bool(value.startswith(part)),
    "endswith": lambda value, part: bool(value.endswith(part)),
    "like": lambda value, pattern: patterns.search(patterns.like(pattern), value),
    "icontains": lambda value, part: patterns.fold(part) in patterns.fold(value),
    "istartswith": lambda value, part: patterns.fold(value).startswith(patterns.fold(part)),
    "iendswith": lambda value, part: patterns.fold(value).endswith(patterns.fold(part)),
    "ilike": lambda value, pattern: patterns.search(patterns.ilike(pattern), value),
    "regex": lambda value, pattern: patterns.search(patterns.canonical(pattern), value),
    "same": json_values.same,
    "has": json_values.has,
}
