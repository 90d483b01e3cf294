"""How a schema follows its models, on SQLite."""

from __future__ import annotations

import pytest

from suites import evolution, foretold


class TestInAFile(evolution.Evolution):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestInMemory(evolution.Evolution):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite:///:memory:"


class TestForetold(foretold.Foretold):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
