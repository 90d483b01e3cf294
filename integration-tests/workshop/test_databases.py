"""The fixtures that give each test its databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest


def _do(url: str, statement: str) -> list[str]:
    """Run *statement*; return the first column of its rows."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return [name for (name,) in file.execute(statement)]
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return [name for (name,) in cursor.fetchall()] if cursor.description else []


def _tables(url: str) -> list[str]:
    if url.startswith("sqlite"):
        return _do(url, "select name from sqlite_master")
    return _do(url, "select tablename from pg_tables where schemaname = 'public'")


def _leave_a_table(url: str) -> None:
    _do(url, "create table left_behind (id integer)")


@pytest.mark.parametrize("visit", ["first", "second"])
def test_a_database_is_new_for_each_test(database_url: str, visit: str) -> None:
    assert _tables(database_url) == []
    _leave_a_table(database_url)
    assert _tables(database_url) == ["left_behind"]


def test_a_test_may_make_further_databases(new_database: Callable[[], str]) -> None:
    one, other = new_database(), new_database()
    _leave_a_table(one)

    assert _tables(other) == []


def test_a_test_with_postgres_is_marked(postgres_url: str, request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("postgres") is not None
