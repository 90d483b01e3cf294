"""The round-trip suite on SQLite, in a file and in memory."""

from __future__ import annotations

import pytest

from suites import round_trip


class TestRoundTripInAFile(round_trip.RoundTrip, round_trip.AcrossFaces):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestRoundTripInMemory(round_trip.RoundTrip):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite:///:memory:"
