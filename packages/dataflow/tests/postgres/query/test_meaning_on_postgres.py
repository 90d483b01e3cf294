from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import psycopg2
import psycopg2.extensions
import pytest
from sqlalchemy.dialects import postgresql

from dataflow.effects import Query, Row
from dataflow.executors import psycopg
from dataflow.executors.compiled import Compiler
from suites import samples
from suites.meaning import MeaningSuite

TABLE_TEXT = samples.table_text(postgresql.dialect()).replace("CREATE TABLE", "CREATE TEMPORARY TABLE")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


@pytest.fixture(scope="module")
def on_psycopg2(postgres_server_url: str) -> Iterator[samples.Answer]:
    connection = psycopg2.connect(postgres_server_url, options="-c timezone=UTC")
    connection.autocommit = True
    psycopg2.extensions.register_type(psycopg.TEXT, connection)
    compiler = Compiler("psycopg2")

    def answer(query: Query) -> list[Row]:
        compiled = compiler.compile(query)
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, compiled.arguments(query.values))
            return compiled.rows(cursor.fetchall(), query.values) if compiled.rows else []

    with connection.cursor() as cursor:
        cursor.execute(TABLE_TEXT)
    samples.fill(answer)
    yield answer
    connection.close()


@pytest.fixture(scope="module")
def on_asyncpg(postgres_server_url: str) -> Iterator[samples.Answer]:
    compiler = Compiler("asyncpg")
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(postgres_server_url))

        def answer(query: Query) -> list[Row]:
            compiled = compiler.compile(query)
            found = runner.run(connection.fetch(compiled.sql, *compiled.arguments(query.values)))
            return compiled.rows(found, query.values) if compiled.rows else []

        runner.run(connection.execute(TABLE_TEXT))
        samples.fill(answer)
        yield answer
        runner.run(connection.close())


class TestOnPsycopg2(MeaningSuite):
    @pytest.fixture
    def answer(self, on_psycopg2: samples.Answer) -> samples.Answer:
        return on_psycopg2


class TestOnAsyncpg(MeaningSuite):
    @pytest.fixture
    def answer(self, on_asyncpg: samples.Answer) -> samples.Answer:
        return on_asyncpg
