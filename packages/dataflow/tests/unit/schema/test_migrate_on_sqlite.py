"""The schema's suite on SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dataflow.errors import MigrationLockedError
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from dataflow.schema.migrate import SyncDDLExecutor
from suites import schema


class TestInAFile(schema.Starters):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestInMemory(schema.Schema):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite:///:memory:"


def test_a_lock_that_another_process_holds_is_named_after_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    executor = SyncExecutor(DatabaseURL.parse(f"sqlite:///{path}"), PoolOptions())
    executor.ping()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(MigrationLockedError, match=r"0\.1 seconds"):
        SyncDDLExecutor(executor.ddl, 0.1).migrate(schema.models_of(schema.Customer))
    other.execute("ROLLBACK")
    other.close()

    assert SyncDDLExecutor(executor.ddl, 0.1).migrate(schema.models_of(schema.Customer)).changes
    executor.close()
