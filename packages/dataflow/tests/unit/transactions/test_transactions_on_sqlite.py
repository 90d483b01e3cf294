"""The transactions suite on SQLite."""

from __future__ import annotations

import pytest

from suites import transactions


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestBlocks(_Here, transactions.Blocks):
    pass


class TestTasks(_Here, transactions.Tasks):
    pass


class TestThreads(_Here, transactions.Threads):
    pass
