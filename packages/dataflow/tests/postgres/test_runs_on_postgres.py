"""The suites of durable runs and their stores, on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import runs


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestRuns(_Here, runs.Runs):
    pass


class TestStores(_Here, runs.Stores):
    pass
