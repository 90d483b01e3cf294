"""Text -> value, for query strings, flags and CSV cells: places where everything is text."""

from __future__ import annotations

import enum
import re
import typing
from datetime import timedelta
from typing import Any, Final

from kailash.shapes.annotations import UNIONS, unfold
from kailash.shapes.checks import compile_check
from kailash.shapes.json import MalformedJSONError, decode_json
from kailash.shapes.scalars import RefusedError, float_, int_

WORDS_OF_TRUTH: Final = {
    "true": True, "1": True, "yes": True, "on": True, "t": True, "y": True,
    "false": False, "0": False, "no": False, "off": False, "f": False, "n": False,
}  # fmt: skip
WHOLE: Final = re.compile(r"[+-]?[0-9]{1,40}")
NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def read(annotation: Any, text: str) -> Any:
    """Return *text* as a value of *annotation*, its limits left out.

    An empty text is null where null is welcome and text is not. A list is JSON, or its items with commas between.
    """
    unfolded = unfold(annotation)
    core = unfolded.core
    if unfolded.nullable and text in ("", "null") and core is not str:
        return None
    return _read(core, annotation, text)


def _read(core: Any, annotation: Any, text: str) -> Any:
    if core is bool:
        return _bool(text)
    if core is int:
        return _int(text)
    if core is float:
        return _float(text)
    if core is timedelta and NUMBER.fullmatch(text):
        return compile_check(core)(float(text))
    origin = typing.get_origin(core) or core
    if origin in UNIONS:
        return _union(typing.get_args(core), text)
    if origin in (list, dict, tuple, set):
        return compile_check(annotation, constrained=False)(_structure(origin, core, text))
    if origin is typing.Literal:
        return _choose(core, {str(value): value for value in reversed(typing.get_args(core))}, text)
    if isinstance(core, type) and issubclass(core, enum.Enum):
        return _choose(core, {str(member.value): member for member in core}, text)
    return compile_check(annotation, constrained=False)(text)


def _bool(text: str) -> bool:
    try:
        return WORDS_OF_TRUTH[text.strip().lower()]
    except KeyError:
        raise RefusedError("wrong_type", "must be true or false") from None


def _int(text: str) -> int:
    if not WHOLE.fullmatch(text.strip()):
        raise RefusedError("wrong_type", "must be a whole number")
    return int_(int(text))


def _float(text: str) -> float:
    if not NUMBER.fullmatch(text.strip()):
        raise RefusedError("wrong_type", "must be a number")
    return float_(float(text))


def _union(members: tuple[Any, ...], text: str) -> Any:
    for member in sorted(members, key=lambda member: member is str):  # text takes everything, so it comes last
        try:
            return read(member, text)
        except RefusedError as refused:
            last = refused
    raise last


def _structure(origin: Any, core: Any, text: str) -> Any:
    if origin is dict or text.lstrip()[:1] in ("[", "{"):
        try:
            return decode_json(text)
        except MalformedJSONError as cause:
            raise RefusedError("wrong_type", f"must be JSON: {cause}") from cause
    arguments = typing.get_args(core)
    item = arguments[0] if arguments else Any
    return [read(item, part.strip()) for part in text.split(",")] if text else []


def _choose(core: Any, known: dict[str, Any], text: str) -> Any:
    try:
        return known[text]
    except KeyError:
        return compile_check(core)(text)  # refuses, in the words of every channel
