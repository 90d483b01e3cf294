"""The relations suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import relations


class TestIncluding(relations.Including):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
