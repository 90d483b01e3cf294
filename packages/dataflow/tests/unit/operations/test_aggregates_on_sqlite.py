"""The aggregates suite on SQLite."""

from __future__ import annotations

import pytest

from suites import aggregates


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestAggregates(_Here, aggregates.Aggregates):
    pass


class TestLikePython(_Here, aggregates.LikePython):
    pass
