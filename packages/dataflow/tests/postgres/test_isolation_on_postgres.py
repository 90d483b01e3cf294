"""What a test writes is undone after it, on PostgreSQL."""

from __future__ import annotations

import psycopg2
import pytest

from suites import isolation


class TestIsolation(isolation.Isolation):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestTemplates(isolation.Templates):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestTemplatesOfAnOrdinaryRole(isolation.Templates):
    """One that owns its tables, and may not set the rules of replication."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        name = "dataflow_test_owner"
        admin = psycopg2.connect(postgres_url)
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
            if not cursor.fetchall():
                cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'owner'")
            cursor.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
        admin.close()
        before, _, after = postgres_url.partition("@")
        return f"{before.partition('://')[0]}://{name}:owner@{after}"
