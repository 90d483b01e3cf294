"""Outcomes as bytes and back, and the names of what is asked."""

from __future__ import annotations

import contextlib
import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.cache.naming import spelled
from dataflow.cache.packing import Packer, UnpackedError
from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from dataflow.query.binding import ready
from kailash.conditions import All, Not, Some, Test, Where


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def _spec() -> ModelSpec:
    db = DataFlow("sqlite:///:memory:")

    @db.model
    class Thing:
        name: str
        price: Decimal
        made: datetime
        day: date
        hour: time
        span: timedelta
        key: UUID
        colour: Colour
        raw: bytes
        tags: list[str]
        days: list[date]
        extra: dict[str, Any]
        ratio: float
        on: bool

    return db.spec("Thing")


SPEC = _spec()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(-(2**63), 2**63 - 1),
        "name": st.none() | TEXT,
        "price": st.none() | st.decimals(allow_nan=False),
        "made": (st.datetimes(timezones=st.just(UTC)) | st.datetimes()).map(lambda moment: moment.replace(fold=0)),
        "day": st.dates(),
        "hour": st.times().map(lambda hour: hour.replace(fold=0)),
        "span": st.timedeltas(),
        "key": st.uuids(),
        "colour": st.none() | st.sampled_from(Colour),
        "raw": st.binary(),
        "tags": st.lists(TEXT),
        "days": st.none() | st.lists(st.dates()),
        "extra": st.dictionaries(TEXT, st.none() | st.booleans() | TEXT | st.lists(st.integers(-5, 5))),
        "ratio": st.floats(allow_nan=False),
        "on": st.booleans(),
    },
)


@given(records=st.lists(RECORDS, max_size=3), total=st.none() | st.integers(0, 9))
def test_what_was_packed_is_what_is_read(records: list[dict[str, Any]], total: int | None) -> None:
    packer = Packer(SPEC)
    cases = [
        (ops.List("Thing"), ops.Listing(records, "next", total)),
        (ops.Count("Thing"), total),
        *[(ops.Read("Thing", 1), each) for each in (*records, None)],
    ]
    for operation, outcome in cases:
        packed = packer.pack(operation, outcome)
        assert packed is not None
        found = packer.unpack(operation, packed)

        assert found == outcome
        assert repr(found) == repr(outcome)  # True is not 1, and a Decimal has its zeros


def test_groups_have_the_types_of_their_fields() -> None:
    asked = ops.Aggregate("Thing", groups=(ops.Group("shade", "colour"), ops.Group("since", "made", "day")))
    outcome = [{"shade": Colour.RED, "since": datetime(2026, 1, 1, tzinfo=UTC), "sum": Decimal("1.50"), "n": 3}]
    packer = Packer(SPEC)

    packed = packer.pack(asked, outcome)

    assert packed is not None and packer.unpack(asked, packed) == outcome


@pytest.mark.parametrize("outcome", [2**70, {"id": object()}, {"name": "\ud800"}, {"id": Colour.RED}])
def test_what_cannot_be_packed_exactly_is_not(outcome: Any) -> None:
    assert Packer(SPEC).pack(ops.Read("Thing", 1), outcome) is None


@given(spoilt=st.binary(max_size=40))
def test_bytes_of_anybody_are_an_outcome_or_an_error(spoilt: bytes) -> None:
    for operation in (ops.List("Thing"), ops.Read("Thing", 1), ops.Aggregate("Thing")):
        with contextlib.suppress(UnpackedError):
            Packer(SPEC).unpack(operation, spoilt)


def test_questions_that_differ_have_names_that_differ() -> None:
    tests = (Test("name", "eq", "a"), Test("name", "eq", "b"))
    wheres: list[Where] = [
        *tests, All(tests), Some(tests), Not(All(tests)), Not(Some(tests)), All(tests[::-1]), ready(tests[0]),
        ready(tests[1]), Test("name", "eq", 1), Test("name", "eq", True), Test("name", "eq", 1.0),
        Test("name", "eq", None), Test("name", "eq", "None"), Test("name", "in", ("a", "b")),
        Test("name", "in", ("a,b",)), Test("name", "eq", Decimal("1")), Test("name", "eq", Decimal("1.0")),
        Test("name", "eq", Colour.RED), Test("name", "eq", {"a": 1}), Test("name", "eq", {"a": "1"}),
    ]  # fmt: skip
    asked = [kind("Thing", where=where) for where in wheres for kind in (ops.List, ops.Count, ops.Aggregate)]
    names = [spelled(each) for each in (*asked, ops.Read("Thing", 1), ops.Read("Thing", "1"), ops.List("Thing2"))]

    assert None not in names
    assert len({*names}) == len(names)


def test_a_question_with_a_value_of_no_spelling_has_no_name() -> None:
    assert spelled(ops.Count("Thing", Test("name", "eq", object()))) is None
