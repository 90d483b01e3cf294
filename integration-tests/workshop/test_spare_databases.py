"""A database that was taken back is as a new one, or it is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from spare_databases import KEPT, USES, Databases

NEW = """
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'),
       has_schema_privilege('pg_monitor', 'public', 'USAGE'), has_schema_privilege('pg_monitor', 'public', 'CREATE'),
       (SELECT rolname FROM pg_roles JOIN pg_namespace ON nspowner = pg_roles.oid WHERE nspname = 'public'),
       current_setting('work_mem'), (SELECT count(*) FROM pg_extension), (SELECT count(*) FROM pg_default_acl)
"""


@pytest.fixture
def databases(postgres_server_url: str) -> Iterator[Databases]:
    with closing(Databases(postgres_server_url)) as made:
        yield made


@pytest.fixture
def names() -> Iterator[str]:
    """Names that nobody has."""
    return (f"kailash_spare_{os.getpid()}_{number}" for number in range(1000))


def done(url: str, statement: str) -> tuple[object, ...] | None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None


def next_after(databases: Databases, names: Iterator[str], statement: str) -> str:
    """Do *statement* in a database, give it back, and return the URL of what is handed out in its turn."""
    spoilt = next(names)
    done(databases.make(spoilt), statement)
    others = [next(names) for _ in range(KEPT)]
    for name in others:
        databases.make(name)
    for name in (spoilt, *others):
        databases.take_back(name)
    return databases.make(next(names))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE left_behind (id bigserial PRIMARY KEY, what text); INSERT INTO left_behind (what) VALUES ('x')",
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a); CREATE VIEW c AS SELECT * FROM b",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE mood AS ENUM ('good')",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA other; CREATE TABLE other.left_behind (id int)",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$",
    ],
)
def test_nothing_of_one_test_is_there_for_the_next(databases: Databases, names: Iterator[str], statement: str) -> None:
    new = done(databases.make(next(names)), NEW)

    assert done(next_after(databases, names, statement), NEW) == new


def test_a_database_is_used_again_under_another_name(databases: Databases, names: Iterator[str]) -> None:
    first, *others = [next(names) for _ in range(KEPT + 1)]
    known = done(databases.make(first), "SELECT oid FROM pg_database WHERE datname = current_database()")
    for name in others:
        databases.make(name)
    for name in (first, *others):
        databases.take_back(name)

    url = databases.make(next(names))

    assert not url.endswith(first)
    assert done(url, "SELECT oid FROM pg_database WHERE datname = current_database()") == known


def test_who_is_still_connected_is_sent_away(databases: Databases, names: Iterator[str]) -> None:
    name = next(names)
    with closing(psycopg2.connect(databases.make(name))) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE held (id int); LOCK TABLE held")
        databases.take_back(name)

        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("SELECT 1")


def test_none_is_used_for_ever(databases: Databases, names: Iterator[str]) -> None:
    first = [next(names) for _ in range(KEPT + 1)]
    for name in first:
        databases.make(name)
    for name in first:
        databases.take_back(name)
    seen = set()
    for _ in range(USES * (KEPT + 1)):
        name = next(names)
        seen.add(done(databases.make(name), "SELECT oid FROM pg_database WHERE datname = current_database()"))
        databases.take_back(name)

    assert len(seen) > KEPT + 1


def test_a_database_that_a_test_dropped_itself_is_no_trouble(databases: Databases, names: Iterator[str]) -> None:
    name = next(names)
    databases.make(name)
    databases.ask(f'DROP DATABASE "{name}"')

    databases.take_back(name)

    assert databases.ask(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "0"


def test_nothing_stays_on_the_server(postgres_server_url: str, names: Iterator[str]) -> None:
    made = [next(names) for _ in range(3)]
    with closing(Databases(postgres_server_url)) as databases:
        for name in made:
            databases.make(name)
        databases.take_back(made[0])
    with closing(Databases(postgres_server_url)) as others:
        assert others.ask(f"SELECT count(*) FROM pg_database WHERE datname = ANY(ARRAY{made})") == "0"
