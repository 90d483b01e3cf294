"""The executors' suite on SQLite, in a file and in memory."""

from __future__ import annotations

import pytest

from suites import executors


class _Here:
    @pytest.fixture(params=["file", "memory"])
    def url(self, request: pytest.FixtureRequest, sqlite_url: str) -> str:
        return sqlite_url if request.param == "file" else "sqlite:///:memory:"


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
