from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.model import moments


class Later(datetime):
    """A datetime of another library's."""


ZONES = [
    None,
    UTC,
    timezone(timedelta(0), "GMT"),
    timezone(timedelta(hours=5, minutes=30)),
    timezone(-timedelta(hours=3)),
]


@given(st.datetimes(), st.sampled_from(ZONES))
def test_a_moment_is_spelled_with_microseconds_and_its_offset(moment: datetime, zone: timezone | None) -> None:
    moment = moment.replace(tzinfo=zone)

    assert moments.text(moment) == moment.isoformat(timespec="microseconds")
    assert datetime.fromisoformat(moments.text(moment)) == moment


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_any_kind_of_datetime_is_spelled(microsecond: int) -> None:
    moment = Later(2026, 11, 21, 10, 0, 0, microsecond, tzinfo=UTC)

    assert moments.text(moment) == f"2026-11-21T10:00:00.{microsecond:06}+00:00"
