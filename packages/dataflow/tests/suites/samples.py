"""Samples of every type, and what can be asked of them: for the tests that the meaning is one on every driver.

A table holds many records of the values that are hard to compare. Conditions of every operator on every field,
nested at will, must select from it what `kailash.conditions.matches` finds in memory; and so for orders, pages and
changes.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import annotated_types
import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.schema import CreateTable

from dataflow.effects import Query, Row
from dataflow.model.declare import declare
from dataflow.model.table import build_table
from dataflow.query import binding, render
from dataflow.query.assign import Assignment
from dataflow.query.ordering import Order
from kailash.conditions import Where, kinds


class Color(enum.Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"
    GREEN = "Grün"


class Grade(enum.IntEnum):
    """A choice that is a number."""

    LOW = 2
    HIGH = 10


class Sample:
    """A record of every type."""

    group: int
    whole: int | None
    ratio: float | None
    price: Decimal | None
    name: str | None
    code: Annotated[str, annotated_types.MaxLen(20)]
    flag: bool | None
    moment: datetime | None
    naive: Annotated[datetime, annotated_types.Timezone(None)] | None
    day: date | None
    clock: time | None
    span: timedelta | None
    key: UUID | None
    blob: bytes | None
    color: Color | None
    grade: Grade | None
    size: Literal["s", "m", "l"] | None
    tags: list[str] | None
    prices: list[Decimal] | None
    marks: list | None  # type: ignore[type-arg]  # a list of anything
    details: dict | None  # type: ignore[type-arg]  # a mapping of anything


SPEC: Final = declare(Sample)
TABLE: Final = build_table(SPEC, sa.MetaData())
RECORD: Final = SPEC.record

_NAMES: Final = (
    "", "a", "A", "abc", "ABC", "aXc", "a%c", "a_c", "a\\c", "a\nb", " a", "é", "É", "e\u0301", "ß", "ẞ", "ς", "Σ", "σ",
    "ΑΣ", "İ", "i", "I", "ı", "K\u212a", "k", "日本", "😀", "\uffff", "\U00010000", "Z", "[x]", "a.c", "-1", "ſ", "s",
    "1", "ǅ", "'", '"',
)  # fmt: skip
_EAST: Final = timezone(timedelta(hours=5, minutes=30))
_DECIMALS: Final = (
    "0", "-0", "1", "1.00", "10", "9", "0.1", "-5", "1E+3", "0.000000001", "1000", "12345678901234567890.123456789",
)  # fmt: skip
VALUES: Final[Mapping[str, Sequence[Any]]] = {
    "group": (0, 1, 2),
    "whole": (0, 1, -1, 5, 7, 2**63 - 1, -(2**63), 2**53 + 1, 2**53),
    "ratio": (
        0.0, -0.0, 1.0, 1.5, 0.1, 0.3, 0.1 + 0.2, 1 / 3, 1e300, -1e-300, 5e-324, 123456789.123456789, 2.0**53, 1e16,
        -7.25,
    ),
    "price": tuple(map(Decimal, _DECIMALS)),
    "name": _NAMES,
    "code": _NAMES[:12],
    "flag": (True, False),
    "moment": (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        datetime(2026, 1, 2, 8, 34, 5, 6, tzinfo=_EAST),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(987, 1, 2, tzinfo=UTC),
    ),
    "naive": (
        datetime(1970, 1, 1), datetime.max, datetime.min, datetime(2026, 1, 2, 3, 4, 5),
        datetime(2026, 1, 2, 3, 4, 5, 100000),
    ),
    "day": (date(1970, 1, 1), date.max, date.min, date(2026, 2, 3), date(987, 1, 2)),
    "clock": (time(), time(1, 2, 3), time(1, 2, 3, 4), time(23, 59, 59, 999999)),
    "span": (
        timedelta(), timedelta(microseconds=1), timedelta(days=-1), timedelta(days=1), timedelta(days=30),
        timedelta(seconds=1.5), timedelta(hours=24, microseconds=1),
    ),
    "key": (UUID(int=0), UUID(int=1), UUID(int=2**128 - 1), UUID("12345678-1234-5678-9234-567812345678")),
    "blob": (b"", b"\0", b"\xff", b"ab", b"AB", b"\x00\xff"),
    "color": tuple(Color),
    "grade": tuple(Grade),
    "size": ("s", "m", "l"),
    "tags": ([], ["a"], ["a", "b"], ["b", "a"], ["é", "1"], ["A", "a%", "'", '"', "\\"]),
    "prices": ([], [Decimal("1.0")], [Decimal("1.00")], [Decimal("1.00"), Decimal("-5")]),
    "marks": (
        [], [1], [1.0], [True], [0], [False], ["1"], [1, "a", None], [0.1, 1e16], [2**63 - 1, 5e-324],
        [[1], {"a": 1}], ["a", "a"],
    ),
    "details": (
        {}, {"a": 1}, {"a": 1.0}, {"a": True}, {"a": None}, {"a": {"b": [1, 2]}}, {"b": 1, "a": 2}, {"a": 2, "b": 1},
        {"a": "1"}, {"a": 1e16},
    ),
}  # fmt: skip
ITEMS: Final[Mapping[str, Sequence[Any]]] = {
    "tags": ("a", "b", "A", "é", "'", '"', "\\", "1"),
    "prices": (Decimal("1.0"), Decimal("1.00"), Decimal("-5")),
    "marks": (1, 1.0, True, False, 0, "1", "a", 0.1, 1e16, 2**63 - 1, 5e-324),
}
LIKES: Final = (
    "", "%", "_", "__", "a%", "%c", "a_c", "a\\_c", "a\\%c", "a\\\\c", "%é%", "%K%", "k%", "%\n%", "i%", "%σ",
    "-_", "A%C",
)  # fmt: skip
REGEXES: Final = (
    "", "a", "^a", "c$", "^$", "^.$", "^..?$", "[a-z]", "^[^a-z]*$", "\\d", "\\W", "^\\w+$", "\\s", "a|b", "^(a|k).*",
    "a{1,2}b?", "\\.", "\\\\", "[\\]%_.]", "^[À-ÿ]", "(?:ab|x)+", "\\n", "é|\U0001f600", "^[\\w\\W]$", "[^\\d\\s]{2,}",
    "]|}", "\\A-\\d\\Z", "'", '"$', "a.*?c",
)  # fmt: skip
SORTABLE: Final = tuple(name for name, kind in kinds.of(RECORD).items() if kind not in kinds.JSON)


def _nullable(name: str) -> bool:
    return name not in ("id", "group", "code", "created_at", "updated_at")


def _records(count: int) -> list[Row]:
    """Make records of all these values and of nulls; always the same."""
    chance = random.Random(20)
    stamp = datetime(2026, 1, 1, tzinfo=UTC)
    records = []
    for number in range(1, count + 1):
        record: Row = {"id": number}
        for name, values in VALUES.items():
            absent = _nullable(name) and chance.random() < 0.15
            record[name] = None if absent else values[number] if number < len(values) else chance.choice(values)
        records.append(RECORD.check({**record, "created_at": stamp, "updated_at": stamp}))
    return records


RECORDS: Final = _records(80)


# -- what is asked -------------------------------------------------------------------------------------------


def operands(field: str, operator: str) -> Sequence[Any]:
    """Return what *operator* may be asked with, of *field*."""
    if operator == "null":
        return (True, False)
    if operator == "contains" and field in ITEMS:
        return ITEMS[field]
    if operator == "regex":
        return REGEXES
    if operator in ("like", "ilike"):
        return LIKES
    if operator in ("contains", *kinds.PARTS):
        return (*_NAMES, "%", "_", "\\", "bc", "X")
    values = tuple(range(0, 100, 23)) if field == "id" else VALUES[field]
    if operator in ("in", "nin"):
        nulls = [[None], [values[0], None]] if _nullable(field) else []
        return ([], *[[value] for value in values], values, *nulls)
    return [(low, high) for low in values[:4] for high in values[:6]] if operator == "between" else values


_ASKED: Final = [
    (field, operator) for field in ("id", *VALUES) for operator in sorted(kinds.ALLOWED[kinds.of(RECORD)[field]])
]
TESTS: Final = st.sampled_from(_ASKED).flatmap(
    lambda asked: st.sampled_from(operands(*asked)).map(lambda operand: {asked[0]: {"$" + asked[1]: operand}})
)


def _joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda parts: {"$and": parts}),
        several.map(lambda parts: {"$or": parts}),
        inner.map(lambda part: {"$not": part}),
    )


FILTERS: Final = st.recursive(TESTS, _joined, max_leaves=8)
ORDERS: Final = st.lists(
    st.tuples(st.sampled_from(SORTABLE), st.booleans()), min_size=0, max_size=3, unique_by=lambda key: key[0]
).map(lambda keys: tuple([Order(*key) for key in keys]))


# -- how it is answered --------------------------------------------------------------------------------------


Answer = Callable[[Query], list[Row]]  # runs a statement on some driver


def table_text(dialect: sa.Dialect) -> str:
    """Return the CREATE TABLE of the samples."""
    return str(CreateTable(TABLE).compile(dialect=dialect))


def fill(answer: Answer, records: Sequence[Row] = RECORDS) -> None:
    """Store *records*."""
    blank = dict.fromkeys(TABLE.c.keys())
    for record in records:
        answer(Query("fill", lambda: sa.insert(TABLE).values(blank), record, writes=True))


def selected(answer: Answer, where: Where) -> set[int]:
    """Return the ids of what *where* selects."""

    def statement() -> sa.Executable:
        return sa.select(TABLE.c.id).where(render.condition(TABLE, where))

    return {row["id"] for row in answer(Query(("selected", where.shape), statement, binding.parameters(where)))}


def ordered(answer: Answer, order: tuple[Order, ...]) -> list[int]:
    """Return all ids in that order."""

    def statement() -> sa.Executable:
        return sa.select(TABLE.c.id).order_by(*render.order_by(TABLE, order))

    return [row["id"] for row in answer(Query(("ordered", order), statement, {}))]


def together(answer: Answer, fields: Sequence[str], keys: Sequence[Sequence[Any]]) -> set[int]:
    """Return the ids of the records whose *fields* are together one of *keys*."""

    def statement() -> sa.Executable:
        return sa.select(TABLE.c.id).where(render.among(TABLE, fields))

    values = {f"{binding.KEY}{at}": [key[at] for key in keys] for at in range(len(fields))}
    return {row["id"] for row in answer(Query(("together", tuple(fields)), statement, values))}


def following(answer: Answer, order: tuple[Order, ...], keys: Sequence[Any], limit: int) -> list[Row]:
    """Return the records after a cursor."""
    nulls = tuple([key is None for key in keys])

    def statement() -> sa.Select[Any]:
        after = [render.keyset(TABLE, order, nulls)] if keys else []
        return sa.select(TABLE).where(*after).order_by(*render.order_by(TABLE, order)).limit(limit)

    values = {f"{binding.AFTER}{at}": key for at, key in enumerate(keys)}
    return answer(Query(("following", order, nulls, limit), statement, values))


def changed(answer: Answer, id: int, field: str, change: Assignment) -> Any:
    """Change one field of one record; return what it is then."""

    def statement() -> sa.Executable:
        value = render.assignment(TABLE.c[field], change, binding.SET + field)
        return (
            sa.update(TABLE).values({field: value}).where(TABLE.c.id == sa.bindparam("_id")).returning(TABLE.c[field])
        )

    values = {"_id": id, binding.SET + field: change.value}
    return answer(Query(("changed", field, change.operator), statement, values, writes=True))[0][field]
