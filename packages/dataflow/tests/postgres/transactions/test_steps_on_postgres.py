"""The suite of the steps of transactions, on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import transaction_steps


class TestTransactionSteps(transaction_steps.TransactionSteps):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
