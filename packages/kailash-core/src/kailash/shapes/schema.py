"""Annotation -> JSON Schema (draft 2020-12), flat: no ``$ref``, and ``anyOf`` only where nothing else says it.

MCP clients drop what they do not know, so the plainest form is used: a type, a format, limits.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from kailash.shapes.annotations import UNIONS, Rules, unfold
from kailash.shapes.json import plain

FORMS: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    timedelta: {"type": "string", "format": "duration"},
    UUID: {"type": "string", "format": "uuid"},
    Decimal: {"type": "string", "format": "decimal"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
}
LIMITS: Final = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
NAMES: Final = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema_of(annotation: Any) -> dict[str, Any]:
    """Return the JSON Schema of one value of *annotation*."""
    unfolded = unfold(annotation)
    schema = _core(unfolded.core)
    _constrain(schema, unfolded.rules)
    return _nullable(schema) if unfolded.nullable and schema else schema


def _core(core: Any) -> dict[str, Any]:
    origin = typing.get_origin(core) or core
    arguments = typing.get_args(core)
    if origin in UNIONS:
        return {"anyOf": [schema_of(member) for member in arguments]}
    if origin is typing.Literal:
        return _choice(arguments)
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        return _choice(member.value for member in origin)
    schema = dict(FORMS.get(origin, ()))
    if origin in (list, set) and arguments and arguments[0] is not Any:
        schema["items"] = schema_of(arguments[0])
    if origin is tuple and arguments:
        schema |= _tuple(arguments)
    if origin is dict and len(arguments) == 2 and arguments[1] is not Any:
        schema["additionalProperties"] = schema_of(arguments[1])
    return schema or _built(origin)


def _tuple(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if arguments[-1] is ...:
        return {"items": schema_of(arguments[0])}
    return {"prefixItems": [schema_of(each) for each in arguments], "minItems": len(arguments)} | {"items": False}


def _built(origin: Any) -> dict[str, Any]:
    """Classes that msgspec builds (Struct, dataclass, TypedDict); any other class says nothing."""
    try:
        (schema,), definitions = msgspec.json.schema_components([origin], ref_template="{name}")
    except TypeError:
        return {}
    return dict(definitions.get(schema.get("$ref", ""), {})) if "$ref" in schema else dict(schema)


def _choice(values: Iterable[Any]) -> dict[str, Any]:
    listed = [plain(value) for value in values]
    kinds = {NAMES.get(type(value)) for value in listed}
    kind = kinds.pop() if len(kinds) == 1 else None
    return ({"type": kind} if kind else {}) | {"enum": listed}


def _constrain(schema: dict[str, Any], rules: Rules) -> None:
    numeric = schema.get("type") in ("integer", "number")
    for limit, keyword in LIMITS.items():
        if numeric and (bound := getattr(rules, limit)) is not None:
            schema[keyword] = plain(bound) if not isinstance(bound, Decimal) else float(bound)
    if numeric and rules.multiple_of is not None:
        schema["multipleOf"] = rules.multiple_of
    suffix = {"string": "Length", "array": "Items", "object": "Properties"}.get(str(schema.get("type")))
    if suffix and "format" not in schema and "contentEncoding" not in schema:
        for limit, value in (("min", rules.min_length), ("max", rules.max_length)):
            if value is not None:
                schema[limit + suffix] = value
    if rules.pattern is not None and schema.get("type") == "string":
        schema["pattern"] = rules.pattern.pattern
    if rules.description:
        schema["description"] = rules.description


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "enum" in schema:
        schema = schema | {"enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]} if "type" in schema else schema
