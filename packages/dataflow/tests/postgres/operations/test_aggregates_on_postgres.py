"""The aggregates suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import aggregates


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestAggregates(_Here, aggregates.Aggregates):
    pass


class TestLikePython(_Here, aggregates.LikePython):
    pass
