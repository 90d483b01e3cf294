"""The relations suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import relations


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestIncluding(_Here, relations.Including):
    pass


class TestConfined(_Here, relations.Confined):
    pass
