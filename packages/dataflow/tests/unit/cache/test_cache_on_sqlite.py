"""The suite of kept answers on SQLite."""

from __future__ import annotations

import pytest

from suites import caching


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestKept(_Here, caching.Kept):
    pass


class TestStampede(_Here, caching.Stampede):
    pass
