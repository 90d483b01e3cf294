"""JSON as all our channels and columns write and read it.

Decimal, UUID, dates and durations become their text (a datetime of UTC ends in Z), bytes become base64, an
Enum its value. Not-a-number is never read; `kailash.shapes.Shape` never lets one in, so none is written.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import msgspec

from kailash.errors import KailashError, Kind

MAX_DEPTH: Final = 100  # levels of lists and objects in one value; arbitrary, and far below CPython's stack
MAX_TEXT_DEPTH: Final = 500  # the same in one text, which may hold more than a value; half of CPython 3.11's stack
STEPS: Final = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
NO_BRACKETS: Final = bytes([byte for byte in range(256) if byte not in STEPS])


class MalformedJSONError(KailashError):
    """The text is not JSON: broken, cut off, nested too deep, or with numbers that JSON does not have."""

    kind = Kind.MALFORMED
    code = "malformed_json"


class NotJSONError(KailashError):
    """A value of ours has no JSON form."""

    code = "not_json"


def encode_json(value: Any) -> bytes:
    """Return *value* as compact JSON.

    Raises: NotJSONError for a value that has no JSON form.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_otherwise)
    except (TypeError, RecursionError, UnicodeEncodeError) as cause:
        raise NotJSONError(f"a value has no JSON form: {_reason(cause)}") from cause


def plain(value: Any) -> Any:
    """Return *value* made of dict, list, str, int, float, bool and None only, as `encode_json` would write it."""
    return msgspec.json.decode(encode_json(value))


def decode_json(text: bytes | str) -> Any:
    """Return the value that *text* says.

    Raises: MalformedJSONError; its message holds a position and nothing of the text.
    """
    try:
        value = msgspec.json.decode(text)
        if _brackets(text) > MAX_TEXT_DEPTH and _depth(value) > MAX_TEXT_DEPTH:
            raise RecursionError
        return value
    except RecursionError:
        raise MalformedJSONError(f"the JSON is nested deeper than {MAX_TEXT_DEPTH} levels") from None
    except UnicodeError as cause:
        raise MalformedJSONError("the JSON is not UTF-8 text") from cause
    except msgspec.DecodeError as cause:
        reason = str(cause).removeprefix("JSON is malformed: ")
        raise MalformedJSONError(f"the JSON cannot be read: {reason[:1].lower()}{reason[1:]}") from cause


def _brackets(text: bytes | str) -> int:
    """Return at least the depth: how many brackets are open at once, those in strings counted too."""
    encoded = text.encode() if isinstance(text, str) else text
    brackets = encoded.translate(None, NO_BRACKETS)
    if len(brackets) <= MAX_TEXT_DEPTH:
        return len(brackets)
    return max(itertools.accumulate(map(STEPS.__getitem__, brackets)))


def _depth(value: Any) -> int:
    """Return the levels of lists and objects, without recursion: how deep CPython may recurse is its own affair."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def _otherwise(value: Any) -> Any:
    """Answer msgspec about types that it does not write itself."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"there is none of type {type(value).__name__}")


def _reason(cause: Exception) -> str:
    if isinstance(cause, RecursionError):
        return "it is nested too deep"
    if isinstance(cause, UnicodeEncodeError):
        return "it holds half of a surrogate pair"
    text = str(cause)
    return text[:1].lower() + text[1:]
