"""The policies suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import policies


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestEveryOperation(_Here, policies.EveryOperation):
    pass


class TestTenancy(_Here, policies.Tenancy):
    pass


class TestWhose(_Here, policies.Whose):
    pass


class TestSoftDeletion(_Here, policies.SoftDeletion):
    pass


class TestVersions(_Here, policies.Versions):
    pass
