"""From what a caller wrote to a condition: ``{"price": {"$gte": 5}}``, ``price__gte=5``, ``id__in=1,2``.

Everything is checked here: that the field exists, that the operator can be asked of it, that the operand is
of the field's type. What is not understood is an InvalidFilterError that names it; nothing is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

from kailash.conditions import kinds, operands
from kailash.conditions.kinds import Kind
from kailash.conditions.values import EVERYTHING, All, Not, Some, Test, Where
from kailash.errors import InvalidFilterError, did_you_mean
from kailash.shapes import Shape

MAX_DEPTH: Final = 32  # filters inside filters
MAX_TESTS: Final = 500  # in one filter

OPERATORS: Final = kinds.OPERATORS
_LOGIC: Final = ("$and", "$or", "$not")


def parse(raw: Mapping[str, Any] | Where, record: Shape) -> Where:
    """Return the condition that *raw* says about records of that shape.

    Keys are joined by and. A key is a field, a field with a lookup (``price__gte``), ``$and``, ``$or`` (lists of
    filters) or ``$not`` (a filter). A value is an operand (equal to it; None: no value) or
    ``{"$operator": operand, ...}``. An empty filter is `EVERYTHING`; a condition that was read before stays what it is.

    Raises: InvalidFilterError.
    """
    if isinstance(raw, Test | All | Some | Not):
        return raw
    if not isinstance(raw, Mapping):
        raise InvalidFilterError("a filter is a mapping of fields to what is wanted of them")
    if not raw:
        return EVERYTHING
    return _Reading(record).mapping(raw, 1)


def read_text(pairs: Iterable[tuple[str, str]], record: Shape) -> Where:
    """Return the condition of *pairs* of text, as a query string or a command line gives them.

    ``in`` and ``nin`` take values between commas, ``between`` two of them, ``isnull`` nothing, or true or false.

    Raises: InvalidFilterError.
    """
    reading = _Reading(record)
    return _joined([reading.text(key, text) for key, text in pairs])


class _Reading:
    """One filter, while it is read."""

    __slots__ = ("_kinds", "_record", "_tests")

    def __init__(self, record: Shape) -> None:
        self._record = record
        self._kinds = kinds.of(record)
        self._tests = 0

    def mapping(self, raw: Mapping[str, Any], depth: int) -> Where:
        parts: list[Where] = []
        for key, given in raw.items():
            kind = self._kinds.get(key)
            if kind is not None:
                parts.append(self.field(key, kind, given, depth))
            elif key in _LOGIC:
                parts.append(self.logic(key, given, depth + 1))
            else:
                field, kind, name = self.lookup(key)
                parts.append(self.test(field, kind, name, given))
        return _joined(parts)

    def text(self, key: str, text: str) -> Where:
        kind = self._kinds.get(key)
        field, kind, name = (key, kind, "eq") if kind is not None else self.lookup(key)
        operator = self.known(field, kind, name)
        return self.test(field, kind, name, operands.from_text(self._record, field, kind, operator, text))

    def field(self, field: str, kind: Kind, given: Any, depth: int) -> Where:
        if not isinstance(given, Mapping) or not self.asks(kind, given):
            return self.test(field, kind, "eq", given)
        if not given:
            raise InvalidFilterError(f"{field!r} is given no operator", hint="write {'$eq': ...}, or the value itself")
        if depth > MAX_DEPTH:
            _too_deep()
        return _joined([self.operation(field, kind, name, operand, depth) for name, operand in given.items()])

    def asks(self, kind: Kind, given: Mapping[str, Any]) -> bool:
        """Whether *given* is operators; of a field that holds a mapping it may be the value itself."""
        return kind is not Kind.MAPPING or (bool(given) and all(str(name).startswith("$") for name in given))

    def operation(self, field: str, kind: Kind, name: Any, operand: Any, depth: int) -> Where:
        if name == "$not":
            if not isinstance(operand, Mapping) or not operand:
                raise InvalidFilterError(f"'$not' of {field!r} takes a mapping of operators")
            return Not(self.field(field, kind, operand, depth + 1))
        if not isinstance(name, str) or not name.startswith("$"):
            hint = f"write '${name}'" if name in OPERATORS else did_you_mean(str(name), _dollars(kind))
            raise InvalidFilterError(f"{name!r} of {field!r} is no operator", hint=hint)
        return self.test(field, kind, name[1:], operand, sign="$")

    def logic(self, name: str, given: Any, depth: int) -> Where:
        if depth > MAX_DEPTH:
            _too_deep()
        if name == "$not":
            return Not(self.inner(name, given, depth))
        if not isinstance(given, Sequence) or isinstance(given, str | bytes) or not given:
            raise InvalidFilterError(f"{name!r} takes a list of at least one filter")
        parts = [self.inner(name, each, depth) for each in given]
        if len(parts) == 1:
            return parts[0]
        return _joined(parts) if name == "$and" else Some(tuple(parts))

    def inner(self, name: str, given: Any, depth: int) -> Where:
        if not isinstance(given, Mapping) or not given:  # an empty one would quietly widen the whole filter
            raise InvalidFilterError(f"{name!r} takes filters that are not empty")
        return self.mapping(given, depth)

    def lookup(self, key: Any) -> tuple[str, Kind, str]:
        field, _, name = str(key).rpartition("__")
        kind = self._kinds.get(field)
        if kind is not None:
            return field, kind, name
        if str(key).startswith("$"):
            raise InvalidFilterError(f"unknown operator {key!r}", hint=did_you_mean(str(key), _LOGIC))
        word = field or str(key)
        raise InvalidFilterError(f"unknown field {word!r} in a filter", hint=did_you_mean(word, self._kinds))

    def known(self, field: str, kind: Kind, name: str, sign: str = "") -> str:
        operator = OPERATORS.get(name)
        if operator is None:
            hint = did_you_mean(sign + name, [sign + each for each in kinds.allowed(kind)])
            raise InvalidFilterError(f"unknown operator {sign + name!r} on field {field!r}", hint=hint)
        return operator

    def test(self, field: str, kind: Kind, name: str, operand: Any, *, sign: str = "") -> Where:
        operator = self.known(field, kind, name, sign)
        if operator not in kinds.ALLOWED[kind]:
            hint = did_you_mean(sign + name, [sign + each for each in kinds.allowed(kind)])
            raise InvalidFilterError(f"{sign + name!r} cannot be asked of {field!r}, which is {kind.value}", hint=hint)
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise InvalidFilterError(f"a filter has at most {MAX_TESTS} tests")
        return _TESTS.get(operator, _one)(self._record, field, kind, operator, operand)


def _joined(parts: Sequence[Where]) -> Where:
    if len(parts) == 1:
        return parts[0]
    return All(tuple(parts)) if parts else EVERYTHING


def _dollars(kind: Kind) -> list[str]:
    return ["$" + name for name in kinds.allowed(kind)]


def _too_deep() -> NoReturn:
    raise InvalidFilterError(f"a filter is nested deeper than {MAX_DEPTH}")


def _one(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Where:
    return Test(field, operator, operands.value(record, field, kind, operator, operand))


def _equal(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Where:
    """None is asked for by ``null``; what is stored as JSON is compared as JSON."""
    if operand is None:
        return Test(field, "null", operator == "eq")
    if kind in kinds.JSON:
        same = Test(field, "same", operands.value(record, field, kind, operator, operand))
        return same if operator == "eq" else Not(same)
    return Test(field, operator, operands.value(record, field, kind, operator, operand))


def _member(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Where:
    """A None among the members is asked for by ``null``."""
    members = operands.members(record, field, kind, operator, operand)
    wanted = tuple([member for member in members if member is not None])
    test = Test(field, operator, wanted)
    if len(wanted) == len(members):
        return test
    missing = Test(field, "null", operator == "in")
    return Some((test, missing)) if operator == "in" else All((test, missing))


def _between(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Where:
    return Test(field, operator, operands.bounds(record, field, kind, operand))


def _null(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Where:
    return Test(field, operator, operands.flag(field, operand))


def _contains(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Where:
    if kind is Kind.LIST:
        return Test(field, "has", operands.item(record, field, operand))
    return Test(field, operator, operands.text(field, operator, operand))


def _text(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Where:
    return Test(field, operator, operands.text(field, operator, operand))


_TESTS: Final[Mapping[str, Callable[[Shape, str, Kind, str, Any], Where]]] = {
    "eq": _equal,
    "ne": _equal,
    "in": _member,
    "nin": _member,
    "between": _between,
    "null": _null,
    "contains": _contains,
    **dict.fromkeys((*kinds.PARTS, *kinds.PATTERNS), _text),
}
