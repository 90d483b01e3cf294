"""Python type -> column type: the one table. Imports SQLAlchemy.

Rule 1: a column type carries the codecs of our three drivers; SQLAlchemy's own value processors never run.
Rule 2: a codec is never given None.
Rule 3: what goes in comes out, equal and of the declared type, on both databases. SQLite has text where it has
        no type of its own: of a fixed width, so that it sorts as the values do.
"""

from __future__ import annotations

import copy
import enum
import re
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dataflow.errors import DatabaseError, ModelError
from dataflow.model import moments
from dataflow.model.spec import FieldSpec
from kailash.shapes import unfold

Driver: TypeAlias = Literal["asyncpg", "psycopg2", "sqlite"]
Convert: TypeAlias = Callable[[Any], Any]
Codec: TypeAlias = tuple[Convert | None, Convert | None]  # Python -> driver, driver -> Python; None: as it is

DECIMAL_COLLATION: Final = "dataflow_decimal"  # `dataflow.executors.sqlite_functions` registers it
MAX_VARCHAR: Final = 10_485_760  # characters; PostgreSQL's limit of VARCHAR(n)
MICROSECOND: Final = timedelta(microseconds=1)


class Codecs(msgspec.Struct, frozen=True):
    """How each driver is given a value, and what is made of its answer."""

    asyncpg: Codec = (None, None)
    psycopg2: Codec = (None, None)
    sqlite: Codec = (None, None)


AS_IS: Final = Codecs()


class Stored:
    """What our column types have in common."""

    codecs: Codecs = AS_IS

    def codec(self, driver: Driver) -> Codec:
        """Return how *driver* is given a value, and what is made of its answer; None: nothing is done."""
        codec: Codec = getattr(self.codecs, driver)
        return codec


# -- codecs --------------------------------------------------------------------------------------------------


def _time_text(value: time) -> str:
    return value.isoformat(timespec="microseconds")


def _utc(value: datetime) -> datetime:
    """Both drivers answer infinity with a datetime that has no zone."""
    if value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _infinite(earliest: Any, latest: Any) -> Convert:
    """Asyncpg writes the extremes of Python's dates as PostgreSQL's infinities, so psycopg2 must as well."""

    def literal(value: Any) -> Any:
        if value == latest:
            return "infinity"
        return "-infinity" if value == earliest else value

    return literal


def _microseconds(value: timedelta) -> int:
    return value // MICROSECOND


def _from_microseconds(value: int) -> timedelta:
    return timedelta(microseconds=value)


def _decimal_text(value: Decimal) -> str:
    return format(value, "f")


def _exact_uuid(value: Any) -> UUID:
    """Make a plain UUID: asyncpg answers with a subclass of its own."""
    return UUID(int=value.int)


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_EXPONENT: Final = re.compile(rb"[0-9][eE]\+?[0-9]")


def _jsonb_text(value: Any) -> str:
    """Write 1e16 as 10000000000000000.0: JSONB keeps numbers as NUMERIC, which would answer with an int."""
    written = msgspec.json.encode(value)
    if _EXPONENT.search(written):  # or a text that looks like one, which does no harm
        written = msgspec.json.encode(_spelled_out(msgspec.to_builtins(value, str_keys=True)))
    return written.decode()


def _spelled_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelled_out(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled_out(item) for item in value]
    if isinstance(value, float) and "e+" in repr(value):
        return msgspec.Raw(f"{Decimal(repr(value)):f}.0".encode())
    return value


class _Members(dict[Any, Any]):
    """Stored value -> member of an Enum."""

    def __missing__(self, value: Any) -> Any:
        raise DatabaseError("a stored value is none of its Enum's", hint="somebody else wrote it, or a member is gone")


# -- column types --------------------------------------------------------------------------------------------


class Text(Stored, sa.String):
    """Text that compares by code point on both databases."""

    def __init__(self, length: int | None = None, codecs: Codecs = AS_IS) -> None:
        super().__init__(length, collation="C")
        self.codecs = codecs


class Integer(Stored, sa.BigInteger):
    """A whole number of 64 bits."""

    def __init__(self, codecs: Codecs = AS_IS) -> None:
        super().__init__()
        self.codecs = codecs


class Double(Stored, sa.Double[float]):
    """A floating-point number of 64 bits. SQLite's RETURNING answers 3 where 3.0 is stored."""

    codecs = Codecs(sqlite=(None, float))


class Number(Stored, sa.Numeric[Decimal]):
    """A decimal number, all of its digits kept."""

    codecs = Codecs(sqlite=(_decimal_text, Decimal))


class Boolean(Stored, sa.Boolean):
    """True or false."""

    codecs = Codecs(sqlite=(None, bool))


class Moment(Stored, sa.DateTime):
    """A date and time, in UTC."""

    codecs = Codecs(
        asyncpg=(None, _utc),
        psycopg2=(_infinite(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)), _utc),
        sqlite=(moments.text, datetime.fromisoformat),
    )


class NaiveMoment(Stored, sa.DateTime):
    """A date and time of no time zone."""

    codecs = Codecs(
        psycopg2=(_infinite(datetime.min, datetime.max), None), sqlite=(moments.text, datetime.fromisoformat)
    )


class Date(Stored, sa.Date):
    """A day."""

    codecs = Codecs(psycopg2=(_infinite(date.min, date.max), None), sqlite=(date.isoformat, date.fromisoformat))


class TimeOfDay(Stored, sa.Time):
    """A time of day of no time zone."""

    codecs = Codecs(sqlite=(_time_text, time.fromisoformat))


class Duration(Stored, postgresql.INTERVAL):
    """A span of time."""

    codecs = Codecs(sqlite=(_microseconds, _from_microseconds))


class Identifier(Stored, sa.Uuid[UUID]):
    """A UUID."""

    codecs = Codecs(asyncpg=(None, _exact_uuid), psycopg2=(str, UUID), sqlite=(str, UUID))


class Bytes(Stored, sa.LargeBinary):
    """Bytes. psycopg2 answers with a memoryview."""

    codecs = Codecs(psycopg2=(None, bytes))


class Json(Stored, postgresql.JSONB):
    """A list or an object. The drivers see text."""

    def __init__(self, codecs: Codecs = AS_IS) -> None:
        super().__init__()
        self.codecs = codecs


# -- the table -----------------------------------------------------------------------------------------------


class Spelled(Stored, sa.types.UserDefinedType[Any]):
    """A type that is the database's own: an enum, a domain, an array. Values take their type from where they stand."""

    cache_ok = False

    def __init__(self, spelled: str, codecs: Codecs) -> None:
        self.spelled = spelled
        self.codecs = codecs

    def get_col_spec(self, **_: Any) -> str:
        """The name of the type."""
        return self.spelled


def column_type(field: FieldSpec) -> sa.types.TypeEngine[Any]:
    """Return the column type of *field*. Raises: ModelError."""
    return _as_spelled(field, _usual_type(field)) if field.column_type else _usual_type(field)


def _as_spelled(field: FieldSpec, usual: Any) -> sa.types.TypeEngine[Any]:
    """Return the type that the column has, with the codecs of the field's own.

    Numbers and times still travel as what they are in Python, so that one that the column is too small for is refused
    by the database, and not by a driver.
    """
    if field.column_type.endswith("[]"):
        return Spelled(field.column_type, AS_IS)
    if not isinstance(usual, _TRAVELLING):
        return Spelled(field.column_type, usual.codecs)
    kind, spelled = type(usual), field.column_type
    named = {"__visit_name__": "user_defined", "get_col_spec": lambda self, **_: spelled}
    made: Any = copy.copy(usual)
    made.__class__ = type(kind.__name__, (kind,), named)
    made._variant_mapping = type(usual._variant_mapping)()
    return made  # type: ignore[no-any-return]  # made of one


def _usual_type(field: FieldSpec) -> sa.types.TypeEngine[Any]:
    kind = field.python_type
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _choice(kind)
    try:
        return COLUMN_TYPES[kind](field)
    except KeyError:
        raise ModelError(f"field {field.name!r} is of type {kind!r}, which has no column type") from None


_TRAVELLING: Final = (Integer, Double, Number, Moment, NaiveMoment)


def plain_type(kind: Any) -> sa.types.TypeEngine[Any]:
    """Return the column type of a computed value: an int, a float, a Decimal, a bool or a text."""
    return _PLAIN[kind]


def _text(field: FieldSpec) -> sa.types.TypeEngine[Any]:
    length = field.max_length if field.max_length and field.max_length <= MAX_VARCHAR else None
    return (Text(length) if length else _unlimited()).with_variant(sa.Text(), "sqlite")


def _unlimited(codecs: Codecs = AS_IS) -> Text:
    """TEXT, which is VARCHAR without a length: the same type to PostgreSQL, and the name that people expect."""
    text: Text = Text(None, codecs).with_variant(sa.Text(collation="C"), "postgresql")
    return text


def _integer(_: FieldSpec) -> sa.types.TypeEngine[Any]:
    return Integer().with_variant(sa.Integer(), "sqlite")


def _choice(kind: type[enum.Enum]) -> sa.types.TypeEngine[Any]:
    members = _Members({member.value: member for member in kind})
    codec = (attrgetter("_value_"), members.__getitem__)
    codecs = Codecs(codec, codec, codec)
    if isinstance(next(iter(members)), str):
        return _unlimited(codecs).with_variant(sa.Text(), "sqlite")
    return Integer(codecs).with_variant(sa.Integer(), "sqlite")


def _json(field: FieldSpec) -> sa.types.TypeEngine[Any]:
    decode = msgspec.json.Decoder(_bare(unfold(field.annotation).core)).decode
    jsonb = (_jsonb_text, decode)
    return Json(Codecs(jsonb, jsonb, (_json_text, decode))).with_variant(sa.Text(), "sqlite")


def _bare(annotation: Any) -> Any:
    """Return *annotation* without its limits: what is stored is answered, also where the limits came later."""
    unfolded = unfold(annotation)
    arguments = typing.get_args(unfolded.core)
    origin = typing.get_origin(unfolded.core)
    core = origin[tuple(map(_bare, arguments))] if origin in (list, dict) and arguments else unfolded.core
    return typing.Optional[core] if unfolded.nullable else core  # noqa: UP045 - computed


def _in_text(made: sa.types.TypeEngine[Any]) -> Callable[[FieldSpec], sa.types.TypeEngine[Any]]:
    """SQLite has no such type, and keeps a text of it."""
    varied = made.with_variant(sa.Text(), "sqlite")
    return lambda field: varied


_MOMENT = _in_text(Moment(timezone=True))
_NAIVE_MOMENT = _in_text(NaiveMoment(timezone=False))
_NUMBER = Number().with_variant(sa.Text(collation=DECIMAL_COLLATION), "sqlite")
_DOUBLE = Double().with_variant(sa.REAL(), "sqlite")
_DURATION = Duration().with_variant(sa.Integer(), "sqlite")

COLUMN_TYPES: Final[dict[Any, Callable[[FieldSpec], sa.types.TypeEngine[Any]]]] = {
    str: _text,
    int: _integer,
    float: lambda _: _DOUBLE,
    bool: lambda _: Boolean(),
    Decimal: lambda _: _NUMBER,
    datetime: lambda field: (_NAIVE_MOMENT if field.naive else _MOMENT)(field),
    date: _in_text(Date()),
    time: _in_text(TimeOfDay()),
    timedelta: lambda _: _DURATION,
    UUID: _in_text(Identifier()),
    bytes: lambda _: Bytes(),
    dict: _json,
    list: _json,
}

_PLAIN: Final[dict[Any, sa.types.TypeEngine[Any]]] = {
    int: Integer().with_variant(sa.Integer(), "sqlite"),
    float: _DOUBLE,
    Decimal: _NUMBER,
    bool: Boolean(),
    str: _unlimited().with_variant(sa.Text(), "sqlite"),
}
