"""A checkup on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import checkups


class TestCheckups(checkups.Checkups):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
