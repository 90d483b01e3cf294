"""Checks of single values: each returns its argument as the declared Python type, or refuses it.

Strict: "5" is no number, True is no number, 5 is a float. What JSON cannot say comes as text (ISO 8601,
base64, the digits of a Decimal). Whatever a database cannot give back exactly is refused here: integers past
64 bits, not-a-number, NUL and half surrogates.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final, NoReturn, TypeAlias
from uuid import UUID

import msgspec

Check: TypeAlias = Callable[[Any], Any]

MAX_INT: Final = 2**63 - 1  # BIGINT of PostgreSQL, INTEGER of SQLite
MAX_DIGITS: Final = 1000  # digits of a Decimal on either side of the point; arbitrary, PostgreSQL keeps 16,383
MAX_DURATION: Final = timedelta(microseconds=MAX_INT)  # what 64 bits of microseconds hold: 292,000 years


class RefusedError(Exception):
    """A value does not fit. ``str()`` completes the sentence "'price' ..."; *path* leads into the value."""

    def __init__(self, code: str, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.path = path

    def inside(self, step: object) -> RefusedError:
        """Return the same refusal, seen from one level further out."""
        return RefusedError(self.code, str(self), (str(step), *self.path))


WORDS: Final[dict[Any, str]] = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false", bytes: "bytes or base64 text",
    datetime: "a date and time (ISO 8601)", date: "a date (ISO 8601)", time: "a time of day (ISO 8601)",
    timedelta: "a duration (ISO 8601, or seconds)", Decimal: "a decimal number", UUID: "a UUID",
    dict: "an object", list: "a list", tuple: "a list", set: "a list", type(None): "null",
}  # fmt: skip


def name_of(value: Any) -> str:
    """Return what kind of thing *value* is, in a caller's words; never the value."""
    return {bool: "a boolean", datetime: "a date and time", bytes: "bytes"}.get(type(value)) or WORDS.get(
        type(value), f"a {type(value).__name__}"
    )


def wrong(wanted: Any, value: Any) -> NoReturn:
    """Refuse *value*, which is not what is *wanted*: a key of `WORDS`, or words."""
    raise RefusedError("wrong_type", f"must be {WORDS.get(wanted, wanted)}, not {name_of(value)}")


def _unreadable(wanted: Any) -> NoReturn:
    """Refuse *value*, which is not what is *wanted*: a key of `WORDS`, or words."""
    raise RefusedError("wrong_type", f"must be {WORDS[wanted]}")


def text(value: Any) -> str:
    """Return *value* if it is text that both databases can hold."""
    if type(value) is str and value.isascii() and "\0" not in value:
        return value
    if not isinstance(value, str):
        wrong(str, value)
    if "\0" in value:
        raise RefusedError("constraint", "must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RefusedError("constraint", "must not contain half of a surrogate pair") from None
    return value if type(value) is str else str.__str__(value)


def int_(value: Any) -> int:
    """Return *value* if it is a whole number of at most 64 bits."""
    if type(value) is not int:
        if not isinstance(value, int) or isinstance(value, bool):
            wrong(int, value)
        value = int(value)
    if -MAX_INT <= value <= MAX_INT or value == -MAX_INT - 1:
        return int(value)
    raise RefusedError("out_of_range", "must be within 64 bits")


def float_(value: Any) -> float:
    """Return *value* as a finite double."""
    if not isinstance(value, float):
        if not isinstance(value, int) or isinstance(value, bool):
            wrong(float, value)
        try:
            return float(value)
        except OverflowError:
            raise RefusedError("out_of_range", "must be within the range of a double") from None
    if not isfinite(value):
        raise RefusedError("out_of_range", "must be a finite number")
    return value if type(value) is float else float(value)


def _bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    wrong(bool, value)


def _decimal(value: Any) -> Decimal:
    number = value if isinstance(value, Decimal) else _read_decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):  # "n", "N" and "F": not-a-number and infinity
        raise RefusedError("out_of_range", "must be a finite number")
    if number.adjusted() > MAX_DIGITS or -exponent > MAX_DIGITS:
        raise RefusedError("out_of_range", f"must have at most {MAX_DIGITS} digits on either side of the point")
    return number


def _read_decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        wrong(Decimal, value)
    try:  # the shortest text that means the same float, as JSON would have it
        return Decimal(float.__repr__(value) if isinstance(value, float) else value)
    except InvalidOperation:
        _unreadable(Decimal)


def _datetime(value: Any) -> datetime:
    moment = _moment(value)
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise RefusedError("out_of_range", "must be between the years 1 and 9999 in UTC") from None


def naive_datetime(value: Any) -> datetime:
    """Return *value* if it is a date and time without a zone."""
    moment = _moment(value)
    if moment.tzinfo is not None:
        raise RefusedError("wrong_type", "must be a date and time without a time zone")
    return moment


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        wrong(datetime, value)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        _unreadable(datetime)


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        wrong(date, value)
    try:
        return date.fromisoformat(value)
    except ValueError:
        _unreadable(date)


def _time(value: Any) -> time:
    if isinstance(value, str):
        try:
            value = time.fromisoformat(value)
        except ValueError:
            _unreadable(time)
    if not isinstance(value, time):
        wrong(time, value)
    if value.tzinfo is not None:
        raise RefusedError("wrong_type", "must be a time of day without a time zone")
    return value


def _timedelta(value: Any) -> timedelta:
    if isinstance(value, str):
        try:
            value = msgspec.convert(value, timedelta)
        except msgspec.ValidationError:
            _unreadable(timedelta)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError):  # ValueError: not-a-number
            raise RefusedError("out_of_range", "must be a duration of at most 292,000 years") from None
    if not isinstance(value, timedelta):
        wrong(timedelta, value)
    if abs(value) > MAX_DURATION:
        raise RefusedError("out_of_range", "must be a duration of at most 292,000 years")
    return value


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str):
        wrong(UUID, value)
    if len(value) not in (32, 36):
        _unreadable(UUID)
    try:
        return UUID(value)
    except ValueError:
        _unreadable(UUID)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if not isinstance(value, str):
        wrong(bytes, value)
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        _unreadable(bytes)


def _null(value: Any) -> None:
    if value is not None:
        raise RefusedError("wrong_type", f"must be null, not {name_of(value)}")


def anything(value: Any) -> Any:
    """Return *value*: the check of a field that may be anything."""
    return value


SCALARS: Final[dict[Any, Check]] = {
    str: text, int: int_, float: float_, bool: _bool, Decimal: _decimal, datetime: _datetime, date: _date,
    time: _time, timedelta: _timedelta, UUID: _uuid, bytes: _bytes, type(None): _null, Any: anything, object: anything,
}  # fmt: skip
