"""Values with their Python types <-> JSON: for workflows that are written down and steps that are remembered.

What JSON has stays as it is; anything else becomes ``{"$<kind>": text}``. Nothing but the kinds below is
ever made from a text: no pickling.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from kailash.errors import InvalidInputError
from kailash.workflow.references import Literal

PLAIN: Final = frozenset({str, int, bool, type(None)})
TEXT: Final = frozenset({str})
MAX_DEPTH: Final = 100  # levels of lists and objects; below Python's recursion limit


def pack(value: Any, path: str = "", depth: int = 0) -> Any:
    """Return *value* as JSON values.

    Raises: InvalidInputError, naming the place of a value that cannot be written down.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is dict:
        return _pack_mapping(value, path, depth)
    if kind is list:
        if depth > MAX_DEPTH:
            raise _unwritable(path, "is nested too deep")
        return [pack(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if kind is float:
        if value - value != 0:  # infinities and NaN
            raise _unwritable(path, "is not a finite number")
        return value
    return _pack_other(value, path, depth)


def unpack(value: Any) -> Any:
    """Return what `pack` was given, enumeration members as their values, tuples and sets as such."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, text),) = value.items()
        if unpacker := UNPACK.get(key):
            return unpacker(text)
    return {key: unpack(item) for key, item in value.items()}


def _pack_mapping(value: Mapping[Any, Any], path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _unwritable(path, "is nested too deep")
    if not TEXT.issuperset(map(type, value)) or (len(value) == 1 and next(iter(value)) in UNPACK):
        return {OBJECT: [[pack(key, path), pack(item, path, depth + 1)] for key, item in value.items()]}
    if PLAIN.issuperset(map(type, value.values())):
        return value
    return {key: pack(item, f"{path}.{key}", depth + 1) for key, item in value.items()}


def _pack_other(value: Any, path: str, depth: int) -> Any:
    if isinstance(value, Enum):
        return pack(value.value, path, depth)
    for kind, name, write, _ in KINDS:
        if isinstance(value, kind):
            return {name: write(value)}
    if isinstance(value, Mapping):
        return _pack_mapping(value, path, depth)
    if isinstance(value, tuple | set | frozenset):
        name = TUPLE if isinstance(value, tuple) else SET
        return {name: [pack(item, path, depth + 1) for item in value]}
    if isinstance(value, str):
        return str(value)
    raise _unwritable(path, f"is a {type(value).__name__}, which cannot be written down")


def _unwritable(path: str, what: str) -> InvalidInputError:
    return InvalidInputError(f"the value at {path.lstrip('.') or 'the top'} {what}", hint="use plain values")


OBJECT: Final = "$object"
TUPLE: Final = "$tuple"
SET: Final = "$set"
KINDS: Final[tuple[tuple[type, str, Callable[[Any], Any], Callable[[Any], Any]], ...]] = (
    (Literal, "$literal", str, Literal),
    (datetime, "$datetime", datetime.isoformat, datetime.fromisoformat),
    (date, "$date", date.isoformat, date.fromisoformat),
    (time, "$time", time.isoformat, time.fromisoformat),
    (
        timedelta,
        "$timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: timedelta(parts[0], parts[1], parts[2]),
    ),
    (Decimal, "$decimal", str, Decimal),
    (UUID, "$uuid", str, UUID),
    (bytes, "$bytes", lambda value: base64.b64encode(value).decode(), base64.b64decode),
)
UNPACK: Final[dict[str, Callable[[Any], Any]]] = {name: read for _, name, _, read in KINDS} | {
    OBJECT: lambda items: {unpack(key): unpack(item) for key, item in items},
    TUPLE: lambda items: tuple(unpack(item) for item in items),
    SET: lambda items: {unpack(item) for item in items},
}
