"""What an annotation says, taken apart: its core type, whether null is welcome, its constraints.

Constraints of msgspec, annotated_types and pydantic are recognised by the names of their classes and
attributes, so that none of those libraries need be installed, and a library of the user's own that speaks
the same words is understood as well.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from kailash.errors import ConfigurationError

UNIONS: Final = (typing.Union, types.UnionType)
KNOWN: Final = frozenset(
    {
        "Meta", "Ge", "Gt", "Le", "Lt", "Interval", "MinLen", "MaxLen", "Len", "MultipleOf", "Timezone", "Predicate",
        "FieldInfo", "_PydanticGeneralMetadata", "StringConstraints",
    }
)  # fmt: skip
LIMITS: Final = (
    "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "max_digits", "decimal_places",
)  # fmt: skip
CHANGES: Final = ("strip_whitespace", "to_lower", "to_upper")  # of pydantic: a value is taken or refused, never edited
NAIVE: Final = "naive"  # value of ``Rules.zone`` of a datetime without a time zone


LimitedBy: TypeAlias = typing.Literal["nothing", "size", "length", "value"]
SIZE: Final = frozenset({"ge", "gt", "le", "lt"})
LENGTH: Final = frozenset({"min_length", "max_length"})


class Rules(msgspec.Struct, frozen=True):
    """The constraints on one value. None where there is none."""

    ge: Any = None
    gt: Any = None
    le: Any = None
    lt: Any = None
    multiple_of: Any = None
    min_length: int | None = None  # characters, bytes or items
    max_length: int | None = None
    max_digits: int | None = None  # of a Decimal
    decimal_places: int | None = None
    pattern: re.Pattern[str] | None = None  # searched for, as JSON Schema does
    predicates: tuple[Callable[[Any], Any], ...] = ()
    zone: str | None = None
    description: str = ""

    @property
    def free(self) -> bool:
        """Whether nothing is asked."""
        return self.limited_by == "nothing"

    @property
    def limited_by(self) -> LimitedBy:
        """What of a value decides whether it is good: with "size" and "length" the extremes speak for all between."""
        ruled = {name for name in self.__struct_fields__ if getattr(self, name) not in (None, (), "")} - {"description"}
        if not ruled:
            return "nothing"
        return "size" if ruled <= SIZE else "length" if ruled <= LENGTH else "value"


NO_RULES: Final = Rules()


class Unfolded(msgspec.Struct, frozen=True):
    """An annotation taken apart: ``Annotated[str | None, MaxLen(5)]`` is (str, nullable, max_length=5)."""

    core: Any  # a class, a parametrised generic, a Literal, or a union of several (without None)
    nullable: bool
    rules: Rules
    metadata: tuple[Any, ...]  # everything inside Annotated, constraint or not, outermost last


def unfold(annotation: Any) -> Unfolded:
    """Return the core type of *annotation*, whether None is one of its values, and its constraints."""
    metadata: list[Any] = []
    core, nullable = _peel(annotation, metadata)
    return Unfolded(core, nullable, gather(metadata) if metadata else NO_RULES, tuple(metadata))


def _peel(annotation: Any, metadata: list[Any]) -> tuple[Any, bool]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        core, nullable = _peel(annotation.__origin__, metadata)
        metadata.extend(annotation.__metadata__)
        return core, nullable
    if origin in UNIONS:
        return _peel_union(annotation, metadata)
    if alias := getattr(annotation, "__supertype__", None):  # NewType
        return _peel(alias, metadata)
    if type(annotation).__name__ == "TypeAliasType":  # ``type Price = ...`` of Python 3.12
        return _peel(annotation.__value__, metadata)
    if annotation is None or annotation is type(None):
        return type(None), True
    return annotation, False


def _peel_union(annotation: Any, metadata: list[Any]) -> tuple[Any, bool]:
    members = typing.get_args(annotation)
    others = [member for member in members if member is not type(None)]
    nullable = len(others) < len(members)
    if len(others) == 1:
        core, inner = _peel(others[0], metadata)
        return core, nullable or inner
    return typing.Union[tuple(others)], nullable  # noqa: UP007 - a union of a computed tuple has no other spelling


def gather(metadata: Iterable[Any]) -> Rules:
    """Return the constraints among *metadata*; of two that limit the same thing, the later one."""
    found: dict[str, Any] = {}
    predicates: list[Callable[[Any], Any]] = []
    for mark in metadata:
        if isinstance(mark, type) or type(mark).__name__ not in KNOWN:
            continue
        for name, value in _limits(mark):
            if name == "predicates":
                predicates.append(value)
            else:
                found[name] = value
    return Rules(**found, predicates=tuple(predicates))


def _limits(mark: Any) -> Iterator[tuple[str, Any]]:
    for name in LIMITS:
        if (value := getattr(mark, name, None)) is not None:
            yield name, value
    if change := next((name for name in CHANGES if getattr(mark, name, None)), None):
        raise ConfigurationError(f"the constraint {change!r} is not supported", hint="use a pattern")
    if (pattern := getattr(mark, "pattern", None)) is not None:
        yield "pattern", re.compile(pattern)
    if type(mark).__name__ == "Predicate":
        yield "predicates", mark.func
    if hasattr(mark, "tz"):
        yield from _zone(mark)
    if description := getattr(mark, "description", None):
        yield "description", str(description)
    for inner in getattr(mark, "metadata", ()) or ():  # pydantic's FieldInfo holds annotated_types
        yield from _limits(inner)


def _zone(mark: Any) -> Iterator[tuple[str, Any]]:
    """Read a zone: msgspec says ``tz=False`` for a naive datetime, annotated_types ``tz=None``."""
    if type(mark).__name__ == "Timezone":
        yield "zone", NAIVE if mark.tz is None else "aware"
    elif mark.tz is not None:
        yield "zone", "aware" if mark.tz else NAIVE
