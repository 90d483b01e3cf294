"""The suite of encrypted fields on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import encryption


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestKept(_Here, encryption.Kept):
    pass


class TestInClear(_Here, encryption.InClear):
    pass


class TestAsked(_Here, encryption.Asked):
    pass


class TestRekeyed(_Here, encryption.Rekeyed):
    pass
