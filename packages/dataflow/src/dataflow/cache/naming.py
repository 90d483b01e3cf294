"""What an operation asks for, as bytes: the same in every process, and another for whatever asks for something else.

Rule: a value that has no spelling of its own here has none; what holds it is not kept.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes, Decimal, datetime, date, time, timedelta, UUID})


def spelled(operation: Any) -> bytes | None:
    """Return *operation*, which policy has rewritten, as bytes; None where it holds what cannot be spelled."""
    parts: list[str] = []
    try:
        _spell(operation, parts.append)
    except TypeError:
        return None
    return "".join(parts).encode("utf-8", "surrogatepass")


def _spell(value: Any, say: Callable[[str], None]) -> None:
    kind = type(value)
    if kind in PLAIN:
        say(f"{kind.__name__} {value!r};")
    elif kind in (tuple, list):
        say(f"{len(value)}(")
        for each in value:
            _spell(each, say)
    elif isinstance(value, msgspec.Struct):
        say(f"{kind.__name__}(")
        for name in value.__struct_fields__:
            _spell(getattr(value, name), say)
    elif isinstance(value, Mapping):
        say(f"{len(value)}{{")
        for name, each in value.items():
            _spell(name, say)
            _spell(each, say)
    elif isinstance(value, enum.Enum):
        say(f"{kind.__name__}.{value.name};")
    elif isinstance(value, type):
        say(f"type {value.__module__}.{value.__qualname__};")
    else:
        raise TypeError(f"a {kind.__name__} has no spelling")
