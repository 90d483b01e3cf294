"""The suite of shared answers on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import shared_caching


class TestShared(shared_caching.Shared):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
