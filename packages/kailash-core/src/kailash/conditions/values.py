"""The tree of a condition, as frozen values.

A condition has a *shape* (its fields and operators: equal shapes are equal SQL texts) and *values* (what the
shape is applied to, left to right). Only what must change the SQL text is in the shape: the operand of ``null``.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, TypeAlias

import msgspec


class _Tree(msgspec.Struct, frozen=True):
    """What every part of a condition can do."""

    def __and__(self, other: Where) -> Where:
        """Return the condition that both hold."""
        parts = (*_conjuncts(self), *_conjuncts(other))
        return parts[0] if len(parts) == 1 else All(parts)


class Test(_Tree, frozen=True):
    """One field against one operand.

    operator: eq ne gt gte lt lte in nin between null contains icontains startswith istartswith endswith iendswith
    like ilike regex; and what `kailash.conditions.parse` makes of ``eq`` and ``contains`` on a field that holds
    JSON: ``same`` (equal as JSON) and ``has`` (a member of the list).
    value: of the field's type; a tuple for in and nin, ``(low, high)`` for between, a bool for null.
    """

    __test__ = False  # this is no test class for pytest

    field: str
    operator: str
    value: Any

    @property
    def shape(self) -> Hashable:
        """What decides the SQL text."""
        if self.operator == "null":
            return self.field, "null" if self.value else "not null"
        return self.field, self.operator

    @property
    def values(self) -> tuple[Any, ...]:
        """The operands: none for ``null``, two for ``between``, else one (``in`` has one: all its members)."""
        if self.operator == "null":
            return ()
        if self.operator == "between":
            low, high = self.value
            return low, high
        return (self.value,)

    def __hash__(self) -> int:
        """An operand may be a list or a dict; equal conditions still have equal hashes."""
        return hash(self.shape)


class _Several(_Tree, frozen=True):
    parts: tuple[Where, ...]

    @property
    def shape(self) -> Hashable:
        """What decides the SQL text."""
        return (type(self).__name__, *[part.shape for part in self.parts])

    @property
    def values(self) -> tuple[Any, ...]:
        """The operands, left to right."""
        return tuple([value for part in self.parts for value in part.values])


class All(_Several, frozen=True):
    """Every part holds; without parts, always."""


class Some(_Several, frozen=True):
    """At least one part holds; without parts, never."""


class Not(_Tree, frozen=True):
    """The part does not hold."""

    part: Where

    @property
    def shape(self) -> Hashable:
        """What decides the SQL text."""
        return "Not", self.part.shape

    @property
    def values(self) -> tuple[Any, ...]:
        """The operands, left to right."""
        return self.part.values


Where: TypeAlias = Test | All | Some | Not
EVERYTHING: Final[Where] = All(())


def _conjuncts(where: Any) -> tuple[Where, ...]:
    return where.parts if type(where) is All else (where,)
