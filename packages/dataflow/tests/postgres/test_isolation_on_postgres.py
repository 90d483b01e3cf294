"""What a test writes is undone after it, on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import isolation


class TestIsolation(isolation.Isolation):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
