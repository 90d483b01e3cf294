"""The schema's suite on PostgreSQL."""

from __future__ import annotations

import psycopg2
import pytest

from dataflow.errors import MigrationLockedError
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from dataflow.schema import lock
from dataflow.schema.migrate import SyncDDLExecutor
from suites import schema


class TestMigrations(schema.Starters):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


def test_a_lock_that_another_process_holds_is_named_after_the_timeout(postgres_url: str) -> None:
    executor = SyncExecutor(DatabaseURL.parse(postgres_url), PoolOptions())
    other = psycopg2.connect(postgres_url, application_name="the other one")
    with other.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({lock.KEY})")

    with pytest.raises(MigrationLockedError, match=r"the other one \(PostgreSQL process \d+\) .* 0\.1 seconds"):
        SyncDDLExecutor(executor.ddl, 0.1).migrate(schema.models_of(schema.Customer))
    other.close()

    assert SyncDDLExecutor(executor.ddl, 20).migrate(schema.models_of(schema.Customer)).changes
    executor.close()
