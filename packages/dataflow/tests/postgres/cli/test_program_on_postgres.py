"""The schema's commands on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import program


class TestProgram(program.Program):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
