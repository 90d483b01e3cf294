"""The suite of what callers make up, on SQLite."""

from __future__ import annotations

import pytest

from suites import forged


class TestForged(forged.Forged):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
