"""Rows of a bulk are good exactly when each of them is, whatever the way in which that is found out."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Meta

from dataflow import DataFlow
from dataflow.operations import rows
from kailash.errors import InvalidInputError

db = DataFlow("sqlite://")


@db.model
class Limited:
    number: Annotated[int, Meta(ge=-3, lt=4)]
    part: Annotated[float, Meta(gt=-1.5, le=2.0)]
    text: Annotated[str, Meta(min_length=1, max_length=3)]
    even: Annotated[int, Meta(ge=0, multiple_of=2)] = 0


SPEC = db.models["Limited"].spec
ROWS = st.fixed_dictionaries(
    {
        "number": st.integers(-4, 4),
        "part": st.floats(-2, 3) | st.just(float("nan")),
        "text": st.text("abé", max_size=4),
    },
    optional={"even": st.integers(-1, 2)},
)
GOOD: dict[str, Any] = {"number": 0, "part": 0.0, "text": "a"}


@given(st.lists(ROWS, min_size=1, max_size=6))
@example([GOOD, {**GOOD, "number": 4}, GOOD])
@example([GOOD, {**GOOD, "part": float("nan")}, GOOD])
@example([GOOD, {**GOOD, "text": ""}, GOOD])
@example([GOOD, {**GOOD, "even": 1}])
def test_a_bulk_is_good_exactly_when_each_row_is(given_rows: list[dict[str, Any]]) -> None:
    bad = []
    for at, row in enumerate(given_rows):
        try:
            SPEC.settable.check(row)
        except InvalidInputError:
            bad.append(at)

    if not bad:
        (batches, failures) = rows.to_store(SPEC, given_rows, partial_failure=False)
        assert sum(len(batch.rows) for batch in batches) == len(given_rows)
        assert failures == ()
        return
    with pytest.raises(InvalidInputError) as caught:
        rows.to_store(SPEC, given_rows, partial_failure=False)
    named = {int(problem.field.split(".")[1]) for problem in caught.value.problems}
    assert named <= set(bad)
