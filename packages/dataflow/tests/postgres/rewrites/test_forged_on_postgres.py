"""The suite of what callers make up, on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import forged


class TestForged(forged.Forged):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
