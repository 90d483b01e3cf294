"""The suite of the ledger on SQLite."""

from __future__ import annotations

import pytest

from suites import changes


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestTold(_Here, changes.Told):
    pass


class TestReplayed(_Here, changes.Replayed):
    pass


class TestOrder(_Here, changes.Order):
    pass


class TestHeard(_Here, changes.Heard):
    pass


class TestConsumed(_Here, changes.Consumed):
    pass


class TestAudited(_Here, changes.Audited):
    pass
