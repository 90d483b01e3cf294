"""The suite of acting for all tenants on SQLite."""

from __future__ import annotations

import pytest

from suites import all_tenants


class TestAllTenants(all_tenants.AllTenants):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
