"""The transactions suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import transactions


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestBlocks(_Here, transactions.Blocks):
    pass


class TestTasks(_Here, transactions.Tasks):
    pass


class TestThreads(_Here, transactions.Threads):
    pass


@pytest.mark.parametrize("wanted", ["READ_COMMITTED", "REPEATABLE_READ", "serializable"])
def test_the_isolation_level_is_really_set(postgres_url: str, wanted: str) -> None:
    with transactions.shop_at(postgres_url) as db, db.transaction_sync(isolation_level=wanted):
        assert transactions.level() == wanted.replace("_", " ").lower()
