"""The suite of encrypted fields on SQLite."""

from __future__ import annotations

import pytest

from suites import encryption


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestKept(_Here, encryption.Kept):
    pass


class TestInClear(_Here, encryption.InClear):
    pass


class TestAsked(_Here, encryption.Asked):
    pass


class TestRekeyed(_Here, encryption.Rekeyed):
    pass
