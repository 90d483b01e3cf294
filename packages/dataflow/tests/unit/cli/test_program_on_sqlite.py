"""The schema's commands on SQLite."""

from __future__ import annotations

import pytest

from suites import program


class TestProgram(program.Program):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
