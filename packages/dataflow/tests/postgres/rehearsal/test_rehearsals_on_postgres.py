"""Rehearsals on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import rehearsals


class TestRehearsals(rehearsals.Rehearsals):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
