"""What only PostgreSQL has: indexes beside the traffic, roles that may not, tables that are in use."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import psycopg2
import pytest

from dataflow import DataFlow
from dataflow.errors import DatabaseUnavailableError, MigrationFailedError, MigrationLockedError, MigrationRefusedError
from dataflow.schema import risk, session
from dataflow.schema.inspect import inspect
from suites.evolution import item

ROWS = risk.LARGE + 50_000
FILL = (
    "INSERT INTO items (code, created_at, updated_at) SELECT '{code}' || n % {distinct}, now(), now()"
    f" FROM generate_series(1, {ROWS}) n; ANALYZE items"
)


@pytest.fixture
def large(postgres_url: str) -> Iterator[DataFlow]:
    """A database with many records, half of which are the same."""
    with DataFlow(postgres_url) as db:
        db.model(item(code=str))
        db.create_tables()
        with db.connection() as connection:
            connection.ask(FILL.format(code="c", distinct=ROWS // 2))
        yield db


def indexed(url: str, *, unique: bool = False) -> DataFlow:
    db = DataFlow(url)
    db.model(item(code=str, __indexes__=[{"fields": ["code"], "unique": unique}]))
    return db


def test_an_index_of_a_large_table_is_built_beside_the_traffic(large: DataFlow, postgres_url: str) -> None:
    with indexed(postgres_url) as db:
        (block,) = db.schema.plan().blocks
        assert block.concurrent
        assert "CONCURRENTLY" in block.statements[0]

        reader = psycopg2.connect(postgres_url)  # one that is in the middle of something
        with reader.cursor() as cursor:
            cursor.execute("SELECT 1")
        reader.commit()
        db.create_tables()

        assert [migration.id for migration in db.schema.history()] == [1, 2]
        assert db.schema.plan().changes == ()
        reader.close()


def test_an_index_that_was_given_up_is_made_again(large: DataFlow, postgres_url: str) -> None:
    with indexed(postgres_url, unique=True) as db:
        with pytest.raises(MigrationFailedError, match="some records are the same there; everything else was done"):
            db.create_tables()
        with db.connection() as connection:
            (index,) = inspect(connection, ["items"]).tables["items"].indexes
            assert (index.name, index.valid) == ("uq_items_code", False)
            connection.ask("DELETE FROM items a USING items b WHERE a.code = b.code AND a.id > b.id; ANALYZE items")

        db.create_tables()

        with db.connection() as connection:
            (index,) = inspect(connection, ["items"]).tables["items"].indexes
        assert (index.name, index.valid) == ("uq_items_code", True)


def test_one_process_builds_and_the_others_start_without_it(
    large: DataFlow, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = psycopg2.connect(postgres_url)
    with other.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({session.BUILDING})")
    with indexed(postgres_url) as db, caplog.at_level(logging.WARNING):
        db.create_tables()
        assert "another process builds indexes" in caplog.text
        assert len(db.schema.plan().changes) == 1
        other.close()


def test_a_table_that_somebody_uses_is_waited_for_and_then_named(postgres_url: str) -> None:
    with DataFlow(postgres_url) as first:
        first.model(item(code=str))
        first.create_tables()
    other = psycopg2.connect(postgres_url)
    with other.cursor() as cursor:
        cursor.execute("LOCK TABLE items")
    with DataFlow(postgres_url, migration_lock_timeout=0.2) as db:
        db.model(item(code=str, note=(str | None, None)))
        with pytest.raises(MigrationLockedError, match=r"somebody has used a table for more than 0\.2 seconds"):
            db.create_tables()
        other.rollback()
        db.create_tables()
    other.close()


@pytest.fixture
def reader(postgres_url: str) -> str:
    """The URL of a role that may read and nothing else."""
    owner = psycopg2.connect(postgres_url)
    owner.autocommit = True
    name = "dataflow_test_reader"
    with owner.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        if not cursor.fetchall():
            cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'reader'")
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC")
        cursor.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
    owner.close()
    before, _, after = postgres_url.partition("@")
    return f"{before.partition('://')[0]}://{name}:reader@{after}"


def test_a_role_that_may_not_is_told_who_may(reader: str, postgres_url: str) -> None:
    with DataFlow(reader) as db:
        db.model(item(code=str))
        with pytest.raises(MigrationFailedError, match="may not do this; nothing was changed; run `dataflow migrate`"):
            db.create_tables()
    with DataFlow(postgres_url) as owner:
        owner.model(item(code=str))
        owner.express_sync.create("Item", {"code": "a"})
    with DataFlow(reader) as db:  # nothing is to do, and nobody needs more than to read
        db.model(item(code=str))
        assert db.express_sync.count("Item") == 1


def test_a_server_that_is_not_there_is_one_error() -> None:
    with DataFlow("postgresql://nobody@127.0.0.1:1/nothing") as db:
        db.model(item(code=str))
        with pytest.raises(DatabaseUnavailableError):
            db.create_tables()
        with pytest.raises(DatabaseUnavailableError):
            db.schema.plan()


def test_a_type_that_nobody_knows_is_refused_with_its_name(postgres_url: str) -> None:
    with DataFlow(postgres_url) as db:
        with db.connection() as connection:
            connection.ask(
                "CREATE TABLE items (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, code POINT NOT NULL,"
                " created_at TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL);"
                "INSERT INTO items (code, created_at, updated_at) VALUES ('(1,2)', now(), now())"
            )
        db.model(item(code=int))

        with pytest.raises(MigrationRefusedError, match="not every point is a bigint"):
            db.create_tables()


def test_a_column_that_others_count_becomes_counted_from_the_highest(postgres_url: str) -> None:
    with DataFlow(postgres_url) as db:
        with db.connection() as connection:
            connection.ask(
                "CREATE TABLE items (id BIGINT PRIMARY KEY, code TEXT NOT NULL, created_at TIMESTAMPTZ NOT NULL,"
                " updated_at TIMESTAMPTZ NOT NULL); INSERT INTO items VALUES (41, 'a', now(), now())"
            )
        db.model(item(code=str))

        assert db.express_sync.create("Item", {"code": "b"})["id"] == 42
