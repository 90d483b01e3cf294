"""The operations suite on SQLite."""

from __future__ import annotations

import pytest

from suites import operations


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestCreateAndRead(_Here, operations.CreateAndRead):
    pass


class TestUpdateAndDelete(_Here, operations.UpdateAndDelete):
    pass


class TestListAndCount(_Here, operations.ListAndCount):
    pass


class TestUpserts(_Here, operations.Upserts):
    pass


class TestBulks(_Here, operations.Bulks):
    pass


class TestLimits(_Here, operations.Limits):
    pass
