"""The relations suite on SQLite."""

from __future__ import annotations

import pytest

from suites import relations


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestIncluding(_Here, relations.Including):
    pass


class TestConfined(_Here, relations.Confined):
    pass
