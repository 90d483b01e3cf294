"""The operands of a filter, checked against the field that they are compared with."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Final

from kailash.conditions import kinds, patterns
from kailash.conditions.kinds import Kind
from kailash.errors import InvalidFilterError, InvalidInputError, KailashError
from kailash.shapes import Shape, decode_json
from kailash.shapes.text import WORDS_OF_TRUTH

MAX_MEMBERS: Final = 10_000  # of in and nin
MAX_TEXT: Final = 10_000  # characters; SQLite takes patterns of 50,000 bytes (https://sqlite.org/limits.html)
MAX_PATTERN: Final = 1_000  # characters of what becomes a regular expression
_FLAGS: Final = {"": True, **WORDS_OF_TRUTH}


def value(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> Any:
    """Return one operand as the field's type."""
    if kind is Kind.INTEGER and type(operand) is float and operand.is_integer():
        operand = int(operand)  # 5.0 is the same number
    if operand is None:
        raise InvalidFilterError(f"{operator!r} of {field!r} takes a value, not null", hint="use '$null'")
    try:
        return record.check_value(field, operand)
    except InvalidInputError as error:
        hint = "use '$in' for one of several" if isinstance(operand, list | tuple) else ""
        raise _refused(field, operator, error, hint) from error


def members(record: Shape, field: str, kind: Kind, operator: str, operand: Any) -> tuple[Any, ...]:
    """Return the members that ``in`` and ``nin`` name; None stays."""
    if not isinstance(operand, list | tuple | AbstractSet):
        raise InvalidFilterError(f"{operator!r} of {field!r} takes a list")
    if len(operand) > MAX_MEMBERS:
        raise InvalidFilterError(f"{operator!r} of {field!r} takes at most {MAX_MEMBERS} values")
    return tuple([None if each is None else value(record, field, kind, operator, each) for each in operand])


def bounds(record: Shape, field: str, kind: Kind, operand: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest value that ``between`` accepts."""
    if not isinstance(operand, list | tuple) or len(operand) != 2:
        raise InvalidFilterError(f"'between' of {field!r} takes two values: the lowest and the highest")
    low, high = operand
    return value(record, field, kind, "between", low), value(record, field, kind, "between", high)


def flag(field: str, operand: Any) -> bool:
    """Return the operand of ``null``: whether there shall be no value."""
    if not isinstance(operand, bool):
        raise InvalidFilterError(f"'null' of {field!r} takes true or false")
    return operand


def item(record: Shape, field: str, operand: Any) -> Any:
    """Return the operand of ``contains`` on a list: a scalar of the type of its items."""
    if operand is None or isinstance(operand, list | tuple | dict | AbstractSet):
        raise InvalidFilterError(f"'contains' of {field!r} takes one value, no list, mapping or null")
    try:
        return record.check_item(field, operand)
    except InvalidInputError as error:
        raise _refused(field, "contains", error) from error


def text(field: str, operator: str, operand: Any) -> str:
    """Return the operand of a test of a text's parts. It need not be a valid value of the field."""
    if not isinstance(operand, str):
        raise InvalidFilterError(f"{operator!r} of {field!r} takes text")
    most = MAX_PATTERN if operator.startswith("i") or operator == "regex" else MAX_TEXT
    if len(operand) > most:
        raise InvalidFilterError(f"{operator!r} of {field!r} takes at most {most} characters")
    if "\0" in operand or not (operand.isascii() or _encodable(operand)):
        raise InvalidFilterError(f"{operator!r} of {field!r} has a character that no text can have")
    if operator in kinds.PATTERNS:
        _check_pattern(field, operator, operand)
    return operand


def from_text(record: Shape, field: str, kind: Kind, operator: str, written: str) -> Any:
    """Return what *written* (in a query string, on a command line) gives to *operator*."""
    if operator == "null":
        return _flag_from_text(field, written)
    if operator in ("in", "nin"):
        return [_read(record, field, operator, part) for part in written.split(",")] if written else []
    if operator == "between":
        return [_read(record, field, operator, part) for part in written.split(",")]
    if operator == "contains" and kind is Kind.LIST:
        return _item_from_text(record, field, written)
    if kind is Kind.TEXT or operator not in kinds.ALLOWED[kind]:
        return written
    return _read(record, field, operator, written)


def _flag_from_text(field: str, written: str) -> bool:
    try:
        return _FLAGS[written.lower()]
    except KeyError:
        raise InvalidFilterError(f"'null' of {field!r} takes true or false") from None


def _read(record: Shape, field: str, operator: str, written: str) -> Any:
    try:
        return record.read_text(field, written)
    except InvalidInputError as error:
        raise _refused(field, operator, error) from error


def _item_from_text(record: Shape, field: str, written: str) -> Any:
    """Return *written* if the items are text, else what it is as JSON."""
    try:
        return record.check_item(field, written)
    except InvalidInputError:
        pass
    try:
        return decode_json(written.encode())
    except KailashError:
        return written


def _refused(field: str, operator: str, error: InvalidInputError, hint: str = "") -> InvalidFilterError:
    reason = error.problems[0].message if error.problems else error.message
    message = f"{operator!r} of {field!r} cannot take this value: {reason}"
    return InvalidFilterError(message, hint=hint, problems=error.problems)


def _encodable(given: str) -> bool:
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_pattern(field: str, operator: str, pattern: str) -> None:
    try:
        canonical = _CANONICAL[operator](pattern)
        patterns.check(canonical)
    except patterns.PatternError as error:
        raise InvalidFilterError(f"the pattern of {operator!r} on {field!r} {error}") from error


_CANONICAL: Final = {"like": patterns.like, "ilike": patterns.ilike, "regex": patterns.canonical}
