"""The suites of durable runs and their stores, on SQLite."""

from __future__ import annotations

import pytest

from suites import runs


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestRuns(_Here, runs.Runs):
    pass


class TestStores(_Here, runs.Stores):
    pass
