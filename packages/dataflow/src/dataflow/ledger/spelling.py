"""A record as JSON text: how SQL writes it inside a trigger, and how it is read back as it was declared.

Rule 1: bytes are in hexadecimal, a Decimal is text, a span is in microseconds. SQLite, which has fewer types, also
        writes a float and what is JSON itself as text, and a bool as 0 or 1.
        What any connection of SQLite is to write takes whatever is in a column; a float has 20 digits.
Rule 2: a masked field is `MASK`, or null; its value never leaves the table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from dataflow.model.spec import FieldSpec, ModelSpec
from kailash.shapes import MalformedJSONError, decode_json

MASK: Final = "***"
PAIRS: Final = 50  # a function of SQLite has at most 100 arguments: https://sqlite.org/limits.html
NUMBER: Final = "dataflow_number"  # a function of our SQLite connections: all the digits of a float
FUNCTION: Final = "dataflow_told"  # of a SQLite connection: what a write tells of itself, by its place
# Built into SQLite, where it knows nothing of ours: a connection of ours answers whether it tells of a table itself.
# What could also say so, a setting that is read as a table (pragma_...), fails where a schema is not trusted.
OWN: Final = "sqlite_compileoption_used"
NOW: Final = "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')"  # of SQLite, spelled as ours
Read = Callable[[Any], Any]


def quoted(name: str) -> str:
    """Return an identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


# -- writing -------------------------------------------------------------------------------------------------


def on_postgresql(spec: ModelSpec, row: str, masked: Collection[str]) -> str:
    """Return the columns of *row*, a row of the table, as the JSON of the record has them."""
    return ", ".join(_postgresql(field, row, masked=field.name in masked) for field in spec.fields)


def _postgresql(field: FieldSpec, row: str, *, masked: bool) -> str:
    name = quoted(field.name)
    column = f"{row}.{quoted(field.stored_as)}"
    if masked:
        return f"CASE WHEN {column} IS NOT NULL THEN {literal(MASK)} END AS {name}"
    if field.python_type is bytes:
        return f"encode({column}, 'hex') AS {name}"
    if field.python_type is Decimal:
        return f"{column}::text AS {name}"
    if field.python_type is timedelta:
        return f"(extract(epoch FROM {column}) * 1000000)::bigint AS {name}"
    return f"{column} AS {name}" if field.column else column


def on_sqlite(spec: ModelSpec, row: str, masked: Collection[str]) -> str:
    """Return the expression of the JSON text of the record that is called *row*: NEW, OLD, a table.

    An object, or an array of objects where there are more columns than a function may have arguments.
    """
    pairs = [
        f"{literal(field.name)}, {_sqlite(field, f'{row}.{quoted(field.stored_as)}', masked=field.name in masked)}"
        for field in spec.fields
    ]
    objects = [f"json_object({', '.join(pairs[at : at + PAIRS])})" for at in range(0, len(pairs), PAIRS)]
    return objects[0] if len(objects) == 1 else f"json_array({', '.join(objects)})"


def _sqlite(field: FieldSpec, column: str, *, masked: bool) -> str:
    if masked:
        return f"CASE WHEN {column} IS NOT NULL THEN {literal(MASK)} END"
    if field.python_type is float:  # JSON of SQLite keeps 15 digits
        return f"CASE WHEN {column} IS NOT NULL THEN {NUMBER}(CAST({column} AS REAL)) END"
    if field.python_type is bytes:
        return f"CASE WHEN {column} IS NOT NULL THEN hex({column}) END"
    return column


def by_anybody(spec: ModelSpec, row: str, masked: Collection[str]) -> str:
    """Return the expression of the JSON text of a record for connections that have none of our functions.

    Those that SQLite has for JSON may not be asked for by a table in 3.38 to 3.40 where its schema is not trusted; they
    refuse bytes and have no infinity, both of which another program may write into any column.
    """
    pairs = [
        literal(f'"{field.name}":')
        + " || "
        + _anything(f"{row}.{quoted(field.stored_as)}", masked=field.name in masked)
        for field in spec.fields
    ]
    comma = " || ',' || "  # an expression is at most 1,000 deep: https://sqlite.org/limits.html
    parts = [f"({comma.join(pairs[at : at + PAIRS])})" for at in range(0, len(pairs), PAIRS)]
    return f"'{{' || {comma.join(parts)} || '}}'"


def _anything(column: str, *, masked: bool) -> str:
    """Return the expression of the JSON of whatever a column holds; control characters are read as they are."""
    if masked:
        return f"CASE WHEN {column} IS NULL THEN 'null' ELSE '\"{MASK}\"' END"
    text = column
    for plain, escaped in _ESCAPED.items():
        text = f"replace({text}, {plain}, {literal(escaped)})"
    return (
        f"CASE typeof({column}) WHEN 'null' THEN 'null' WHEN 'integer' THEN {column}"
        f" WHEN 'real' THEN printf('\"%!.20g\"', {column}) WHEN 'blob' THEN '\"' || hex({column}) || '\"'"
        f" ELSE '\"' || {text} || '\"' END"
    )


_ESCAPED: Final = {"'\\'": "\\\\", "'\"'": '\\"', "char(10)": "\\n", "char(13)": "\\r", "char(9)": "\\t"}


# -- reading -------------------------------------------------------------------------------------------------


class Reader:
    """Reads the records of one model."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._read = {field.name: _reading(field) for field in spec.fields}
        self._read_id = _of_text(spec.by_name["id"])

    def read_id(self, text: str) -> Any:
        """Return the id that was written as *text*."""
        return _as_declared(self._read_id, text)

    def record(self, text: str | None) -> Mapping[str, Any] | None:
        """Return the record that was written as *text*; fields that the model does not have any more stay JSON.

        So does what others have written into a table of SQLite and no field allows.
        """
        if text is None:
            return None
        found = plain(text)
        read = self._read
        return {
            name: value if value is None or value == MASK or name not in read else _as_declared(read[name], value)
            for name, value in found.items()
        }


def _as_declared(read: Read, value: Any) -> Any:
    try:
        return read(value)
    except _NOT_ALLOWED:
        return value


_NOT_ALLOWED: Final = (ValueError, TypeError, ArithmeticError, AttributeError, msgspec.MsgspecError, MalformedJSONError)


def plain(text: str) -> dict[str, Any]:
    """Return the record that was written as *text*, its values as JSON has them."""
    found: Any
    try:
        found = decode_json(text.encode())
    except MalformedJSONError:
        found = decode_json(text.translate(_CONTROLS).encode())
    return found if isinstance(found, dict) else {name: value for part in found for name, value in part.items()}


_CONTROLS: Final = {code: f"\\u{code:04x}" for code in range(32)}


def _reading(field: FieldSpec) -> Read:
    kind = field.python_type
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind
    if field.naive:
        return lambda text: _moment(text).replace(tzinfo=None)
    if kind in (dict, list):
        return lambda value: msgspec.convert(
            decode_json(value) if isinstance(value, str) else value, field.annotation, strict=False
        )
    return READ.get(kind, _as_is)


def _of_text(field: FieldSpec) -> Read:
    """How an id is read, which the ledger keeps as text."""
    return int if field.python_type is int else _reading(field)


def _as_is(value: Any) -> Any:
    return value


def _moment(text: str) -> datetime:
    if text.endswith("infinity"):  # asyncpg writes the extremes of Python's datetimes so
        return (datetime.min if text[0] == "-" else datetime.max).replace(tzinfo=UTC)
    return datetime.fromisoformat(text)


def _day(text: str) -> date:
    if text.endswith("infinity"):
        return date.min if text[0] == "-" else date.max
    return date.fromisoformat(text)


def _span(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


READ: Final[Mapping[Any, Read]] = {
    float: float,
    bool: bool,
    Decimal: Decimal,
    datetime: _moment,
    date: _day,
    time: time.fromisoformat,
    timedelta: _span,
    UUID: UUID,
    bytes: bytes.fromhex,
}
