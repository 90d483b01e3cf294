"""The round-trip suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import round_trip


class TestRoundTrip(round_trip.RoundTrip, round_trip.AcrossFaces):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
