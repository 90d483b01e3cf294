"""What can be asked of a field, by the kind of value that it holds."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, get_origin

from kailash.shapes import Shape


class Kind(enum.Enum):
    """Kinds of fields; the value completes "..., which is ..."."""

    TEXT = "text"
    INTEGER = "an integer"
    ORDERED = "a number, a time, or the like"
    CHOICE = "a choice"
    BOOLEAN = "a boolean"
    LIST = "a list"
    MAPPING = "a mapping"


PARTS: Final = ("icontains", "startswith", "istartswith", "endswith", "iendswith")
PATTERNS: Final = ("like", "ilike", "regex")

# what is written -> the operator of the test
OPERATORS: Final[Mapping[str, str]] = {
    **{name: name for name in ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "between", "null")},
    **{name: name for name in ("contains", *PARTS, *PATTERNS)},
    "isnull": "null",
}

_EQUALITY: Final = frozenset({"eq", "ne", "null"})
_CHOICE: Final = _EQUALITY | {"in", "nin"}
_ORDER: Final = _CHOICE | {"gt", "gte", "lt", "lte", "between"}
ALLOWED: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.TEXT: _ORDER | {"contains", *PARTS, *PATTERNS},
    Kind.INTEGER: _ORDER,
    Kind.ORDERED: _ORDER,
    Kind.CHOICE: _CHOICE,
    Kind.BOOLEAN: _CHOICE,
    Kind.LIST: _EQUALITY | {"contains"},
    Kind.MAPPING: _EQUALITY,
}
JSON: Final = frozenset({Kind.LIST, Kind.MAPPING})


def allowed(kind: Kind) -> list[str]:
    """Return the names of the operators that can be asked of a field of that kind."""
    return [name for name, operator in OPERATORS.items() if operator in ALLOWED[kind]]


@lru_cache(maxsize=1024)
def of(record: Shape) -> Mapping[str, Kind]:
    """Return the kind of every field of *record*."""
    return {name: kind_of(record.unfolded(name).core) for name in record.fields}


def kind_of(core: Any) -> Kind:
    """Return the kind of a core type, as `kailash.shapes.unfold` gives it."""
    origin = get_origin(core)
    if origin is Literal:
        return Kind.CHOICE
    declared = origin or core
    if not isinstance(declared, type) or declared is object:
        return Kind.MAPPING  # Any and unions: stored as JSON
    return next((kind for kind, known in _BY_TYPE if issubclass(declared, known)), Kind.ORDERED)


_BY_TYPE: Final[tuple[tuple[Kind, tuple[type, ...]], ...]] = (
    (Kind.CHOICE, (enum.Enum,)),
    (Kind.BOOLEAN, (bool,)),
    (Kind.INTEGER, (int,)),
    (Kind.TEXT, (str,)),
    (Kind.LIST, (list, tuple, set, frozenset)),
    (Kind.MAPPING, (Mapping,)),
)
