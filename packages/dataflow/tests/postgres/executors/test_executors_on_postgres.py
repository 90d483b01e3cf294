"""The executors' suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import executors


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestStatements(_Here, executors.Statements):
    pass


class TestTransactions(_Here, executors.Transactions):
    pass


class TestLoads(_Here, executors.Loads):
    pass


class TestFaults(_Here, executors.Faults):
    pass


class TestExplicit(_Here, executors.Explicit):
    pass
