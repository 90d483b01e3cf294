from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy.dialects import sqlite

from dataflow.effects import Query, Row
from dataflow.executors import sqlite_functions
from dataflow.executors.compiled import Compiler
from suites import samples
from suites.meaning import MeaningSuite


@pytest.fixture(scope="module")
def filled() -> Iterator[samples.Answer]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    sqlite_functions.register(connection)
    compiler = Compiler("sqlite")

    def answer(query: Query) -> list[Row]:
        compiled = compiler.compile(query)
        found = connection.execute(compiled.sql, compiled.arguments(query.values)).fetchall()
        return compiled.rows(found, query.values) if compiled.rows else []

    connection.execute(samples.table_text(sqlite.dialect()))
    samples.fill(answer)
    yield answer
    connection.close()


class TestOnSQLite(MeaningSuite):
    @pytest.fixture
    def answer(self, filled: samples.Answer) -> samples.Answer:
        return filled
