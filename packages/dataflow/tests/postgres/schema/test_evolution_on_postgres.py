"""How a schema follows its models, on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import evolution, foretold


class TestEvolution(evolution.Evolution):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestForetold(foretold.Foretold):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
