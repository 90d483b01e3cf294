"""Constraints -> what to test and what to say. Applied to a value that already has its type."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from kailash.shapes.annotations import Rules
from kailash.shapes.scalars import Check, RefusedError

Limit: TypeAlias = tuple[Callable[[Any], Any], str]  # holds for good values; the sentence for others


def limit(check: Check, limits: list[Limit]) -> Check:
    """Return *check* followed by the tests of *limits*; None passes untested."""

    def limited(value: Any) -> Any:
        value = check(value)
        if value is None:
            return None
        for holds, words in limits:
            try:
                good = holds(value)
            except (TypeError, ValueError):  # a bound of another type; a predicate that refuses by raising
                good = False
            if not good:
                raise RefusedError("constraint", words)
        return value

    return limited


def limits_of(rules: Rules) -> list[Limit]:
    """Return what *rules* ask, in the order in which they are tested."""
    limits: list[Limit] = []
    if (ge := rules.ge) is not None:
        limits.append((lambda value: value >= ge, f"must be at least {ge}"))
    if (gt := rules.gt) is not None:
        limits.append((lambda value: value > gt, f"must be greater than {gt}"))
    if (le := rules.le) is not None:
        limits.append((lambda value: value <= le, f"must be at most {le}"))
    if (lt := rules.lt) is not None:
        limits.append((lambda value: value < lt, f"must be less than {lt}"))
    if (step := rules.multiple_of) is not None:
        limits.append((lambda value: _is_multiple(value, step), f"must be a multiple of {step}"))
    if (least := rules.min_length) is not None and least > 0:
        limits.append((lambda value: len(value) >= least, f"must have a length of at least {least}"))
    if (most := rules.max_length) is not None:
        limits.append((lambda value: len(value) <= most, f"must have a length of at most {most}"))
    if (digits := rules.max_digits) is not None:
        limits.append((lambda value: _digits(value) <= digits, f"must have at most {digits} digits"))
    if (places := rules.decimal_places) is not None:
        limits.append((lambda value: _places(value) <= places, f"must have at most {places} digits after the point"))
    if (pattern := rules.pattern) is not None:
        limits.append((pattern.search, f"must match the pattern {pattern.pattern}"))
    for predicate in rules.predicates:
        name = getattr(predicate, "__name__", "")
        words = "must fulfil its condition" if name in ("", "<lambda>") else f"must fulfil {name}"
        limits.append((predicate, words))
    return limits


def _places(value: Any) -> int:
    return max(0, -int(Decimal(str(value)).as_tuple().exponent))


def _digits(value: Any) -> int:
    """Digits on both sides of the point; zeros in front do not count."""
    return max(Decimal(str(value)).adjusted() + 1, 0) + _places(value)


def _is_multiple(value: Any, step: Any) -> bool:
    """Compare as decimals: 0.3 is a multiple of 0.1, though their doubles are not."""
    return Decimal(str(value)) % Decimal(str(step)) == 0
