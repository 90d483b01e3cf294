"""The suite of what other programs write, on PostgreSQL."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from suites import others


class TestByOthers(others.ByOthers):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def other(self, postgres_url: str) -> others.Run:
        def run(sql: str) -> None:
            with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
                cursor.execute(sql)
                connection.commit()

        return run
