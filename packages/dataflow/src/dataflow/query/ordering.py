"""The order of records, the page of them that is wanted, and the cursor between two pages.

Rule 1: an order ends with the primary key, so it is total, and a cursor has one place in it.
Rule 2: a null sorts after every value: last ascending, first descending; what PostgreSQL does by itself.
Rule 3: text sorts by code point, an Enum by its value.
"""

from __future__ import annotations

import enum
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from dataflow.errors import InvalidPageError, InvalidSortError
from kailash.conditions import kinds
from kailash.errors import InvalidInputError, did_you_mean
from kailash.shapes import MalformedJSONError, Shape, decode_json, encode_json

ID: Final = "id"  # the primary key of every model
MAX_KEYS: Final = 16  # sort keys of one order; arbitrary
MAX_NUMBER: Final = 2**31 - 2  # of a limit or an offset: an SQL integer holds one more, which a limit needs
MAX_CURSOR: Final = 16_384  # characters of a cursor; a URL longer than this does not arrive anyway
_DIRECTIONS: Final = {1: False, -1: True, "1": False, "-1": True, "asc": False, "desc": True}

Sort: TypeAlias = str | Sequence[Any] | Mapping[str, Any] | None


class Order(msgspec.Struct, frozen=True):
    """One sort key."""

    field: str
    descending: bool = False


class Page(msgspec.Struct, frozen=True):
    """Which part of an ordered list: at most *limit* records (None: all), after *offset* or after *cursor*."""

    limit: int | None = None
    offset: int = 0
    cursor: str | None = None


def parse_order(raw: Sort, record: Shape) -> tuple[Order, ...]:
    """Return the sort keys that *raw* says.

    raw: ``"-price,name"``, ``["-price", "name"]``, ``{"price": -1}``, ``[("price", "desc"), {"name": 1}]``.
    Raises: InvalidSortError for an unknown field, a repeated one, or one that has no order (a list, a mapping).
    """
    if not raw:
        return ()
    order = tuple(_parsed(raw))
    if len(order) > MAX_KEYS:
        raise InvalidSortError(f"at most {MAX_KEYS} sort keys can be given")
    known = kinds.of(record)
    for position, key in enumerate(order):
        _check(key, order[:position], known)
    return order


def page(limit: Any, offset: Any, cursor: Any) -> Page:
    """Return the page that these ask for; None where one is not asked for.

    Raises: InvalidPageError for anything but whole numbers from 0, and for an offset beside a cursor.
    """
    for name, number in (("limit", limit), ("offset", offset)):
        if number is not None and (type(number) is not int or not 0 <= number <= MAX_NUMBER):
            raise InvalidPageError(f"the {name} must be a whole number, 0 or more")
    if cursor is None:
        return Page(limit, offset or 0)
    if offset:
        raise InvalidPageError("a cursor and an offset exclude each other", hint="leave the offset out")
    if not isinstance(cursor, str):
        raise _unreadable()
    return Page(limit, 0, cursor)


def total(order: tuple[Order, ...]) -> tuple[Order, ...]:
    """Return *order* with the primary key at its end. What follows the primary key decides nothing and is dropped."""
    for position, key in enumerate(order):
        if key.field == ID:
            return order[: position + 1]
    return (*order, Order(ID))


def arrange(records: Iterable[Mapping[str, Any]], order: tuple[Order, ...]) -> list[Mapping[str, Any]]:
    """Return *records* in that order, as a database would."""
    arranged = list(records)
    for key in reversed(order):
        arranged.sort(key=lambda record, field=key.field: _rank(record[field]), reverse=key.descending)  # type: ignore[misc]  # mypy: a default in a lambda
    return arranged


def encode_cursor(order: tuple[Order, ...], record: Mapping[str, Any]) -> str:
    """Return the text that stands for the place of *record* in that order; opaque, and safe in a URL."""
    written = encode_json([_signature(order), *[record[key.field] for key in order]])
    return urlsafe_b64encode(_sum(written) + written).rstrip(b"=").decode()


def decode_cursor(text: str, order: tuple[Order, ...], record: Shape) -> tuple[Any, ...]:
    """Return the values of the sort keys where the cursor stands, as their declared types.

    Raises: InvalidPageError if it is not ours, or of another order.
    """
    signature, *values = _opened(text)
    if signature != _signature(order) or len(values) != len(order):
        raise InvalidPageError("the cursor belongs to another sort order", hint="begin again without a cursor")
    try:
        return tuple([_key(record, key.field, value) for key, value in zip(order, values, strict=True)])
    except InvalidInputError as error:
        raise _unreadable() from error


def _parsed(raw: Any) -> Iterable[Order]:
    if isinstance(raw, str):
        return [_from_text(part) for part in raw.split(",")]
    if isinstance(raw, Mapping):
        return [_directed(field, direction) for field, direction in raw.items()]
    if isinstance(raw, list | tuple):
        return [order for each in raw for order in _member(each)]
    raise InvalidSortError("a sort order is text, a list or a mapping")


def _member(given: Any) -> Iterable[Order]:
    if isinstance(given, Order):
        return [given]
    if isinstance(given, list | tuple) and len(given) == 2:
        return [_directed(*given)]
    if isinstance(given, str | Mapping):
        return _parsed(given)
    raise InvalidSortError("a sort key is text like '-price', or a field and its direction")


def _from_text(text: str) -> Order:
    field, _, direction = text.strip().partition(" ")
    if direction:
        return _directed(field, direction.strip())
    return Order(field[1:] if field[:1] in ("+", "-") else field, field.startswith("-"))


def _directed(field: Any, direction: Any) -> Order:
    word = direction.lower() if isinstance(direction, str) else direction
    if isinstance(word, bool) or not isinstance(word, str | int) or word not in _DIRECTIONS:
        raise InvalidSortError(f"the direction of {str(field)!r} must be 'asc', 'desc', 1 or -1")
    return Order(str(field), _DIRECTIONS[word])


def _check(key: Order, earlier: tuple[Order, ...], known: Mapping[str, kinds.Kind]) -> None:
    kind = known.get(key.field)
    if kind is None:
        raise InvalidSortError(f"unknown sort key {key.field!r}", hint=did_you_mean(key.field, known))
    if kind in kinds.JSON:
        raise InvalidSortError(f"{key.field!r} cannot be sorted by: it is {kind.value}")
    if any(key.field == each.field for each in earlier):
        raise InvalidSortError(f"{key.field!r} is given twice as a sort key")


def _rank(value: Any) -> tuple[bool, Any]:
    return value is None, value.value if isinstance(value, enum.Enum) else value


def _key(record: Shape, field: str, value: Any) -> Any:
    return None if value is None else record.check_value(field, value)


def _signature(order: tuple[Order, ...]) -> str:
    return ",".join(["-" + key.field if key.descending else key.field for key in order])


def _sum(written: bytes) -> bytes:
    """Four bytes that tell a cursor from other text. No secret: a forged one shows nothing that a filter does not."""
    return zlib.crc32(written).to_bytes(4, "big")


def _opened(text: str) -> list[Any]:
    try:
        opened = urlsafe_b64decode(text[:MAX_CURSOR].encode() + b"=" * (-len(text) % 4))
        if _sum(opened[4:]) != opened[:4]:
            raise _unreadable()
        content = decode_json(opened[4:])
    except (ValueError, AttributeError, TypeError, MalformedJSONError) as error:
        raise _unreadable() from error
    if not isinstance(content, list) or not content:
        raise _unreadable()
    return content


def _unreadable() -> InvalidPageError:
    return InvalidPageError("the cursor cannot be read", hint="give it back as it came, or begin again without one")
