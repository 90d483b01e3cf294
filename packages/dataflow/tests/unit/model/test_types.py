"""Column types: what a driver is given and what is made of its answer. The databases themselves come elsewhere."""

from __future__ import annotations

import enum
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
import sqlalchemy as sa
from annotated_types import Ge, MaxLen, Timezone
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from dataflow.errors import DatabaseError
from dataflow.model.declare import declare
from dataflow.model.types import Driver, column_type

DRIVERS = get_args(Driver)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2**40


def type_of(annotation: Any) -> Any:
    """The column type of a field of that annotation."""
    cls = type("Thing", (), {"__annotations__": {"value": annotation}, "__module__": __name__})
    return column_type(declare(cls).by_name["value"])


def there_and_back(annotation: Any, driver: Driver, value: Any) -> Any:
    """What comes back when the driver itself changes nothing."""
    encode, decode = type_of(annotation).codec(driver)
    stored = value if encode is None else encode(value)
    return stored if decode is None else decode(stored)


VALUES: list[tuple[Any, Any]] = [
    (str, "ž'\\"),
    (int, -(2**63)),
    (float, 1.7976931348623157e308),
    (bool, True),
    (Decimal, Decimal("1.50")),
    (datetime, datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)),
    (Annotated[datetime, Timezone(None)], datetime(2024, 5, 6)),
    (date, date(1, 1, 2)),
    (time, time(23, 59, 59, 999_999)),
    (timedelta, timedelta(days=-1, microseconds=1)),
    (UUID, UUID(int=7)),
    (bytes, bytes(range(256))),
    (dict, {"a": [1, 2.0, 1e16, None, True, {"é": "1e5"}]}),
    (list, [1, "a", None, 1e300]),
    (list[float], [1.0, 1e22]),
    (list[datetime], [datetime(2024, 5, 6, tzinfo=UTC)]),
    (list[Decimal | None], [Decimal("1.10"), None]),
    (list[bytes], [b"\x00\xff"]),
    (dict[str, timedelta], {"a": timedelta(days=-3, microseconds=4)}),
    (list[Colour], [Colour.RED]),
    (list[Annotated[int, Ge(5)]], [1]),  # stored before the limit was declared
    (Colour, Colour.BLUE),
    (Level, Level.HIGH),
    (Literal["a", "b"], "a"),
    (Literal[True], True),
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("annotation", "value"), VALUES)
def test_a_value_survives_its_codec(annotation: Any, value: Any, driver: Driver) -> None:
    result = there_and_back(annotation, driver, value)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("annotation", "on_postgresql", "on_sqlite"),
    [
        (int, "BIGINT", "INTEGER"),
        (str, 'TEXT COLLATE "C"', "TEXT"),
        (Annotated[str, MaxLen(20)], 'VARCHAR(20) COLLATE "C"', "TEXT"),
        (Annotated[str, MaxLen(10**9)], 'TEXT COLLATE "C"', "TEXT"),
        (float, "DOUBLE PRECISION", "REAL"),
        (bool, "BOOLEAN", "BOOLEAN"),
        (Decimal, "NUMERIC", "TEXT COLLATE dataflow_decimal"),
        (datetime, "TIMESTAMP WITH TIME ZONE", "TEXT"),
        (Annotated[datetime, Timezone(None)], "TIMESTAMP WITHOUT TIME ZONE", "TEXT"),
        (date, "DATE", "TEXT"),
        (time, "TIME WITHOUT TIME ZONE", "TEXT"),
        (timedelta, "INTERVAL", "INTEGER"),
        (UUID, "UUID", "TEXT"),
        (bytes, "BYTEA", "BLOB"),
        (dict, "JSONB", "TEXT"),
        (list[str], "JSONB", "TEXT"),
        (Colour, 'TEXT COLLATE "C"', "TEXT"),
        (Level, "BIGINT", "INTEGER"),
        (Literal["a"], 'TEXT COLLATE "C"', "TEXT"),
        (Literal[1], "BIGINT", "INTEGER"),
    ],
)
def test_a_type_has_one_column_type_in_each_database(annotation: Any, on_postgresql: str, on_sqlite: str) -> None:
    made: sa.types.TypeEngine[Any] = type_of(annotation)

    assert made.compile(dialect=postgresql.dialect()) == on_postgresql  # type: ignore[no-untyped-call]  # SQLAlchemy's
    assert made.compile(dialect=sqlite.dialect()).replace('"', "") == on_sqlite  # SQLAlchemy 2.0 quotes a collation


@pytest.mark.parametrize(
    ("annotation", "strategy"),
    [
        (datetime, st.datetimes(timezones=st.just(UTC))),
        (Annotated[datetime, Timezone(None)], st.datetimes()),
        (date, st.dates()),
        (time, st.times()),
        (timedelta, st.timedeltas(timedelta(days=-10**8), timedelta(days=10**8))),
    ],
)  # fmt: skip
def test_what_sqlite_keeps_sorts_as_the_values_do(annotation: Any, strategy: Any) -> None:
    encode, _ = type_of(annotation).codec("sqlite")

    @given(st.lists(strategy, min_size=2))
    def sorts(values: list[Any]) -> None:
        for one, other in pairwise(sorted(values)):
            assert encode(one) <= encode(other)

    sorts()


@pytest.mark.parametrize("value", [1e16, -1e22, 1.7976931348623157e308])
def test_a_large_float_is_no_int_after_jsonb(value: float) -> None:
    """JSONB keeps a number as NUMERIC, and answers 1e16 as 10000000000000000."""
    encode, _ = type_of(dict).codec("asyncpg")

    written = encode({"a": [value], "b": "3e5"})

    assert "e" not in written.replace("3e5", "")
    assert json.loads(written) == {"a": [value], "b": "3e5"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_stored_value_that_is_no_member_is_an_error_of_the_database(driver: Driver) -> None:
    _, decode = type_of(Colour).codec(driver)

    with pytest.raises(DatabaseError, match="none of its Enum's"):
        decode("green")


@pytest.mark.parametrize("kind", [date, datetime])
def test_both_faces_write_the_end_of_time_alike(kind: Any) -> None:
    """Asyncpg writes date.max as infinity; what psycopg2 writes must equal it."""
    encode, _ = type_of(kind).codec("psycopg2")
    latest = kind.max if kind is date else kind.max.replace(tzinfo=UTC)
    earliest = kind.min if kind is date else kind.min.replace(tzinfo=UTC)

    assert (encode(latest), encode(earliest)) == ("infinity", "-infinity")


def test_the_codec_of_a_copied_type_stays() -> None:
    """SQLAlchemy copies types when it adapts and varies them."""
    made = type_of(list[Decimal])

    assert made.copy().codec("asyncpg") == made.codec("asyncpg")
