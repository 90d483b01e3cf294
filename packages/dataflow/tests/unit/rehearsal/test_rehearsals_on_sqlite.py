"""Rehearsals on SQLite."""

from __future__ import annotations

import pytest

from suites import rehearsals


class TestRehearsals(rehearsals.Rehearsals):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestInMemory(rehearsals.Rehearsals):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite:///:memory:"
