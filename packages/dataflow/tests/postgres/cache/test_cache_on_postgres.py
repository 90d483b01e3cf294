"""The suite of kept answers on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import caching


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestKept(_Here, caching.Kept):
    pass


class TestStampede(_Here, caching.Stampede):
    pass
