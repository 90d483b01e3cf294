"""What a field's annotation and default say, as the database can hold it: CHECK constraints and DEFAULT values.

Rule 1: the database is the second wall. Whatever it cannot say exactly as Python does (patterns, the length of a text
        on SQLite, decimals that SQLite keeps as text) is left to the first one.
Rule 2: the name of a check ends in a digest of what it says: the same name is the same check, so that nobody has to
        compare expressions that a database has rewritten.
Rule 3: a default is for those who write without us; our own writes name every column.
"""

from __future__ import annotations

import enum
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from dataflow.model import naming
from dataflow.model.spec import FieldSpec
from dataflow.schema.state import Check, Dialect
from kailash.shapes import REQUIRED, unfold

MAX_CHOICES: Final = 200  # of one check; arbitrary
_LITERAL: Final = re.compile(r"'((?:[^']|'')*)'|(?<![\w.\"])(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])")
_BOUND: Final = re.compile(r"(>=|<=|>|<)\s*\(*'?(-?[\d.]+(?:[eE][+-]?\d+)?)")
_CAST: Final = re.compile(r'::(?:"[^"]+"|[a-z_][a-z0-9_. ]*)(?:\(\d+(?:,\d+)?\))?(?:\[\])?')


def quoted(text: str) -> str:
    """Return *text* as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return *name* as an SQL identifier; always quoted, so that no word is reserved."""
    return '"' + name.replace('"', '""') + '"'


# -- defaults ------------------------------------------------------------------------------------------------


def default(field: FieldSpec) -> str | None:
    """Return the DEFAULT of *field*, None where it has none that a database can hold."""
    if field.default is REQUIRED or field.default is None or callable_default(field):
        return None
    return literal(field.default)


def callable_default(field: FieldSpec) -> bool:
    """Whether the default is made anew for each record."""
    return callable(field.default) and not isinstance(field.default, enum.Enum)


def literal(value: Any) -> str | None:
    """Return *value* as both databases spell it in a statement; None where they do not agree on one."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return quoted(format(value, "f")) if value.is_finite() else None
    if isinstance(value, str):
        return quoted(value) if "\0" not in value else None
    if isinstance(value, list | dict):
        return quoted(msgspec.json.encode(value).decode())
    return None


def same_default(have: str | None, want: str) -> bool:
    """Whether *have*, as a database spells it, is the literal *want*."""
    return have is not None and (plain(have) == plain(want) or _as_number(have) == _as_number(want) is not None)


def _as_number(expression: str) -> Decimal | None:
    """Return what a literal is as a number; a truth is 1: SQLite has no others."""
    text = plain(expression)
    try:
        number = Decimal({"true": "1", "false": "0"}.get(text, text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def plain(expression: str) -> str:
    """Return a literal without casts, parentheses and quotes."""
    end = _end(expression)
    text = expression[:end] + _CAST.sub("", expression[end:])
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    return text[1:-1].replace("''", "'") if text.startswith("'") and text.endswith("'") else text.lower()


def _end(expression: str) -> int:
    """Return where the string that *expression* begins with ends."""
    found = re.match(r"'(?:[^']|'')*'", expression)
    return found.end() if found else 0


# -- checks --------------------------------------------------------------------------------------------------


def check(table: str, field: FieldSpec, dialect: Dialect) -> Check | None:
    """Return the CHECK of *field*, None where there is nothing that *dialect* could check."""
    if field.column_type:
        return None  # a type that is the database's own has its own rules
    if _free(field):
        return None
    parts = [*_bounds(field, dialect), *_choices(field)]
    if not parts:
        return None
    expression = " AND ".join(parts)
    return Check(naming.check_name(table, field.stored_as, expression), expression)


def _free(field: FieldSpec) -> bool:
    """Whether the annotation is of plain classes, which say nothing else; told without taking it apart."""
    said = field.annotation
    if isinstance(said, types.UnionType):
        return all(isinstance(each, type) and not issubclass(each, enum.Enum) for each in said.__args__)
    return isinstance(said, type) and not issubclass(said, enum.Enum)


def _bounds(field: FieldSpec, dialect: Dialect) -> Iterator[str]:
    rules, column = unfold(field.annotation).rules, identifier(field.stored_as)
    if field.python_type in (int, float) or (field.python_type is Decimal and dialect == "postgresql"):
        for sign, limit in ((">=", rules.ge), (">", rules.gt), ("<=", rules.le), ("<", rules.lt)):
            if isinstance(limit, int | float | Decimal) and math.isfinite(limit):
                yield f"{column} {sign} {limit}"
    if field.python_type is str and rules.min_length and dialect == "postgresql":
        yield f"length({column}) >= {rules.min_length}"


def _choices(field: FieldSpec) -> Iterator[str]:
    kind, core = field.python_type, unfold(field.annotation).core
    values: Iterable[Any] = ()
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        values = [member.value for member in kind]
    elif typing.get_origin(core) is typing.Literal and kind is not bool:
        values = typing.get_args(core)
    listed = [literal(value) for value in values]
    if listed and None not in listed and len(listed) <= MAX_CHOICES:
        yield f"{identifier(field.stored_as)} IN ({', '.join(map(str, listed))})"


class _Said(msgspec.Struct, frozen=True):
    """What one check lets through."""

    values: frozenset[str] | None = None
    low: tuple[float, int] = (-math.inf, 0)  # the bound; 1 where it is itself not allowed
    high: tuple[float, int] = (math.inf, 0)  # the bound; -1 where it is itself not allowed
    length: float = 0


def wider(new: Check, old: Check) -> bool:
    """Whether *new*, a check of ours, lets through everything that *old* does, ours as well."""
    one, other = _said(new.expression), _said(old.expression)
    if one.values is not None and (other.values is None or not one.values >= other.values):
        return False
    return one.low <= other.low and one.high >= other.high and one.length <= other.length


def _said(expression: str) -> _Said:
    """Read a check of ours, also as PostgreSQL spells it."""
    text = _CAST.sub("", expression)
    if re.search(r"\bIN \(|= ANY|ARRAY|[^<>]=", text):
        found = [text_ or number for text_, number in _LITERAL.findall(text)]
        return _Said(frozenset(found))
    low, high, length = (-math.inf, 0), (math.inf, 0), 0.0
    for sign, limit in _BOUND.findall(text):
        if "length(" in text:
            length = float(limit)
        elif sign[0] == ">":
            low = (float(limit), int(sign == ">"))
        else:
            high = (float(limit), -int(sign == "<"))
    return _Said(None, low, high, length)
