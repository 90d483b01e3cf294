"""The suite of the steps of transactions, on SQLite."""

from __future__ import annotations

import pytest

from suites import transaction_steps


class TestTransactionSteps(transaction_steps.TransactionSteps):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
