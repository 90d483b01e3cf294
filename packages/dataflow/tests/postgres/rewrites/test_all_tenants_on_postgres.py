"""The suite of acting for all tenants on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import all_tenants


class TestAllTenants(all_tenants.AllTenants):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
