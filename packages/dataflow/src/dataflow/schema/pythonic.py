"""The type and the default of a column in Python: what a model that stands for its table would say. Pure.

Rule: a type is given only where our drivers answer with it, exactly. SQLite keeps times as whoever wrote them liked,
      so they are text there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from dataflow.schema.fits import affinity
from dataflow.schema.rules import plain
from dataflow.schema.state import Column, Dialect


class Kind(msgspec.Struct, frozen=True):
    """A Python type, in source text; whether the column's own type must be said; the longest text."""

    text: str
    said: bool = False
    longest: int | None = None


NAIVE: Final = "Naive"  # stands for a date and time of no zone
USUAL: Final[Mapping[str, str]] = {  # the types that `dataflow.model.types` would choose
    "bigint": "int",
    "text": "str",
    "character varying": "str",
    "boolean": "bool",
    "double precision": "float",
    "numeric": "Decimal",
    "timestamp with time zone": "dt.datetime",
    "timestamp without time zone": NAIVE,
    "date": "dt.date",
    "time without time zone": "dt.time",
    "interval": "dt.timedelta",
    "uuid": "UUID",
    "bytea": "bytes",
    "jsonb": "dict",
}
OTHER: Final[Mapping[str, str]] = {  # without what stands in parentheses
    **dict.fromkeys(("integer", "smallint"), "int"),
    "real": "float",
    "numeric": "Decimal",
    **dict.fromkeys(("character", "name", "citext", "tsvector", "xml", "macaddr"), "str"),
    "timestamp with time zone": "dt.datetime",
    "timestamp without time zone": NAIVE,
    "json": "dict",
}
ITEMS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("text", "character varying", "character"), "str"),
    **dict.fromkeys(("bigint", "integer", "smallint"), "int"),
    **dict.fromkeys(("double precision", "real"), "float"),
    "boolean": "bool",
}
_SIZE: Final = re.compile(r"\(([\d, ]*)\)")


def kind_of(column: Column, dialect: Dialect, domains: Mapping[str, str], enums: Mapping[str, str]) -> Kind | None:
    """Return the Python type of *column*; None where none stands for it.

    enums: the type in the database -> the name of the class.
    """
    return _on_sqlite(column) if dialect == "sqlite" else _on_postgresql(column.type, domains, enums)


def _on_postgresql(spelled: str, domains: Mapping[str, str], enums: Mapping[str, str]) -> Kind | None:
    if spelled in enums:
        return Kind(enums[spelled], said=True)
    if spelled in domains:
        inner = _on_postgresql(domains[spelled], domains, enums)
        return Kind(inner.text, said=True) if inner is not None else None
    if spelled in USUAL:
        return Kind(USUAL[spelled])
    bare, size = _SIZE.sub("", spelled), _SIZE.search(spelled)
    if bare.endswith("[]"):
        item = ITEMS.get(bare[:-2])
        return Kind(f"list[{item}]", said=True) if item else None
    if bare == "character varying" and size:
        return Kind("str", longest=int(size.group(1)))
    return Kind(OTHER[bare], said=True) if bare in OTHER else None


def _on_sqlite(column: Column) -> Kind | None:
    spelled, size = column.type, _SIZE.search(column.type)
    if spelled.startswith("bool"):
        return Kind("bool")
    if spelled == "date":
        return Kind("dt.date", said=True)
    if spelled == "json":
        return Kind("dict", said=True)
    if column.collation == "dataflow_decimal":
        return Kind("Decimal")
    match affinity(spelled):
        case "integer":
            return Kind("int")
        case "text":
            return Kind("str", longest=int(size.group(1)) if size and size.group(1).isdigit() else None)
        case "real":
            return Kind("float")
        case "numeric":
            timed = any(word in spelled for word in ("date", "time", "uuid", "year"))
            return Kind("str" if timed else "float", said=True)
        case _:
            return Kind("bytes") if "blob" in spelled else None


# -- defaults ------------------------------------------------------------------------------------------------

_NOW: Final = re.compile(
    r"\(*(now\(\)|current_timestamp(\(\d\))?|localtimestamp(\(\d\))?|statement_timestamp\(\)|clock_timestamp\(\)"
    r"|'now'(::text)?|transaction_timestamp\(\))\)*(::\w[\w ]*)*\)*",
    re.IGNORECASE,
)
_TODAY: Final = re.compile(r"\(*(current_date|now\(\)|'now'(::text)?)\)*(::date)?\)*", re.IGNORECASE)
_RANDOM: Final = ("gen_random_uuid()", "uuid_generate_v4()")
_LITERAL: Final = re.compile(r"\(*(?:'(?:[^']|'')*'|-?[\d.]+(?:e[+-]?\d+)?|true|false|null)\)*(?:::.*)?", re.IGNORECASE)


def default_of(kind: Kind, expression: str, members: Mapping[str, str]) -> str | None:
    """Return a DEFAULT in source text; None where it is nothing that Python could say.

    members: the values of an Enum -> its members, in source text.
    """
    made = _made(kind.text, expression)
    if made is not None or not _LITERAL.fullmatch(expression):
        return made
    value = plain(expression)
    match kind.text:
        case "int":
            return value if re.fullmatch(r"-?\d{1,18}", value) else None
        case "float" | "Decimal":
            return _number(kind.text, value)
        case "bool":
            return {"true": "True", "1": "True", "t": "True", "false": "False", "0": "False", "f": "False"}.get(value)
        case "str" if kind.longest is None or len(value) <= kind.longest:
            return text_of(value) if "'" in expression and "\0" not in value else None  # no model takes a NUL
        case "dict" if value == "{}":
            return "{}"
        case _:
            return members.get(value)


def text_of(value: str) -> str:
    """Return *value* as source text, in double quotes where that is as plain."""
    return repr(value) if '"' in value else '"' + repr("'" + value)[2:]


def _made(kind: str, expression: str) -> str | None:
    if kind in ("dt.datetime", NAIVE) and _NOW.fullmatch(expression):
        return "dt.datetime.now" if kind == NAIVE else "now"
    if kind == "dt.date" and _TODAY.fullmatch(expression):
        return "dt.date.today"
    return "uuid4" if kind == "UUID" and expression in _RANDOM else None


def _number(kind: str, value: str) -> str | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return f'Decimal("{value}")' if kind == "Decimal" else repr(float(number))
