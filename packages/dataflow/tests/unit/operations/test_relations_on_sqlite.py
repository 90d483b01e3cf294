"""The relations suite on SQLite."""

from __future__ import annotations

import pytest

from suites import relations


class TestIncluding(relations.Including):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
