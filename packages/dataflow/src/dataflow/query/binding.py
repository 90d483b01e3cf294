"""The names under which values travel beside a statement. `query.render` uses the same names in its SQL.

Rule: what a policy adds to a condition has names of its own, so that it is read once and not for each operation. At
most one `Ready` in a condition has operands.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Final

from dataflow.query.assign import Assignment
from kailash.conditions import EVERYTHING, All, Not, Some, Test, Where, patterns

ID: Final = "_id"  # the wanted id
SET: Final = "_set_"  # before the name of a changed field; no field begins with an underscore
KEY: Final = "_key"  # bind name of the key of a row that a bulk update is about
OPERAND: Final = "_w"  # before the number of a filter's operand
POLICY: Final = "_p"  # before the number of an operand of what a policy adds
HAVING: Final = "_h"  # before the number of an operand that groups are chosen by
CONSTANT: Final = "_c"  # before the number of a constant of an expression
AFTER: Final = "_after"  # before the number of a cursor's value

_SPELLED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "in": list,
    "nin": list,
    "contains": lambda part: f"%{patterns.escape_like(part)}%",
    "startswith": lambda part: patterns.escape_like(part) + "%",
    "endswith": lambda part: "%" + patterns.escape_like(part),
    "icontains": patterns.folded,
    "istartswith": lambda part: "\\A" + patterns.folded(part),
    "iendswith": lambda part: patterns.folded(part) + "\\Z",
    "ilike": patterns.ilike,
    "regex": patterns.canonical,
    "has": lambda item: [item],
}


class Ready(All, frozen=True):
    """A condition that is asked again and again, with its shape and its bind values: what a policy adds."""

    key: Hashable
    bound: Mapping[str, Any]

    @property
    def shape(self) -> Hashable:
        """What decides the SQL text."""
        return self.key

    def __hash__(self) -> int:
        """Answers are kept by it: those of many tenants shall not meet in one place."""
        return hash((self.key, *self.bound.values()))


class Narrowed(All, frozen=True):
    """What somebody asked and what a policy adds, both of which hold: its two parts."""

    @property
    def shape(self) -> Hashable:
        """What decides the SQL text."""
        asked, added = self.parts
        return asked.shape, added.shape


def ready(where: Where) -> Ready:
    """Return *where*, read beforehand."""
    return Ready((where,), f"Ready {where.shape}", parameters(where, POLICY))  # a text is hashed once


def narrowed(where: Where, by: Ready) -> Where:
    """Return the condition that both hold."""
    return by if where is EVERYTHING else Narrowed((where, by))


def parameters(where: Where, prefix: str = OPERAND) -> dict[str, Any]:
    """Return ``{bind name: value}`` of a condition, numbered left to right.

    A value is what the SQL compares with: a pattern for a test of text, a list for ``in`` and for ``has``.
    """
    values: dict[str, Any] = {}
    added: dict[str, Any] = {}
    _bind(where, prefix, values, added)
    values.update(added)
    return values


def known(where: Where, names: Iterator[str] | None = None) -> dict[str, str | None]:
    """Return the fields whose value is known in every record that *where* finds: the name of a bind, or None for null.

    Null is known from any condition; a value only from a policy's, of the binds *names*: it is the tenant's own name.
    What somebody asks for may equal what is stored, and yet be spelled otherwise.
    """
    if type(where) is Test:
        bound = [next(names) for _ in where.values] if names else []
        if where.operator == "null":
            return {where.field: None} if where.value else {}
        return {where.field: bound[0]} if where.operator == "eq" and bound else {}
    if not isinstance(where, All):
        return {}
    own = iter(where.bound) if isinstance(where, Ready) and where.bound else names
    return {field: bind for part in where.parts for field, bind in known(part, own).items()}


def changes(assignments: Mapping[str, Assignment]) -> tuple[Hashable, dict[str, Any]]:
    """Return what the SQL text of these changes depends on, and ``{bind name: value}``."""
    shape = tuple([(name, assignment.operator) for name, assignment in assignments.items()])
    return shape, {SET + name: assignment.value for name, assignment in assignments.items()}


def _bind(where: Where, prefix: str, values: dict[str, Any], added: dict[str, Any]) -> None:
    """Add the operands of *where*: every operation asks for them, so not by a `match`, which is slower."""
    if type(where) is Test:
        spell = _SPELLED.get(where.operator)
        for value in where.values:
            values[f"{prefix}{len(values)}"] = value if spell is None else spell(value)
    elif type(where) is Ready:
        added.update(where.bound)
    elif type(where) is Narrowed or type(where) is All or type(where) is Some:
        for part in where.parts:
            _bind(part, prefix, values, added)
    elif type(where) is Not:
        _bind(where.part, prefix, values, added)
    else:
        raise TypeError(f"{type(where).__name__} is no condition")
