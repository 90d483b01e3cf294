"""What a test writes is undone after it, on SQLite."""

from __future__ import annotations

import pytest

from suites import isolation


class TestIsolation(isolation.Isolation):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestTemplates(isolation.Templates):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
