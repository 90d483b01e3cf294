"""What may go wrong with a file, and the lessons that other systems paid for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from dataflow import DataFlow
from dataflow.errors import DatabaseError, DatabaseUnavailableError, DataFlowError
from dataflow.executors.sync import SyncExecutor
from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from dataflow.schema.migrate import SyncDDLExecutor
from suites import trouble
from suites.evolution import STAMP, item, models_of


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


class TestTrouble(trouble.Trouble):
    OCCUPY = "BEGIN IMMEDIATE"
    STRANGE = "real"  # SQLite stores anything anywhere: what it would make of a number is what counts
    VALUE = "1.5"


def test_a_full_disk_is_one_error_and_leaves_what_was(executor: SyncExecutor) -> None:
    SyncDDLExecutor(executor.ddl).migrate(models_of(item(name=str)))
    with executor.ddl() as connection:
        for _ in range(200):
            connection.ask(f"INSERT INTO items (name, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})")
        before = inspect(connection)

    @contextmanager
    def full() -> Iterator[Connection]:
        with executor.ddl() as connection:
            pages = connection.ask("PRAGMA page_count")[0][0]
            connection.ask(f"PRAGMA max_page_count = {pages}")
            try:
                yield connection
            finally:
                connection.ask("PRAGMA max_page_count = 1000000")

    connect: AbstractContextManager[Connection] = full()
    with pytest.raises(DatabaseUnavailableError, match=r"disk.*nothing was changed.*has room"):
        SyncDDLExecutor(lambda: connect).migrate(models_of(item(name=str, tags=(list[str], []))))

    with executor.ddl() as connection:
        assert inspect(connection) == before
        assert connection.ask("SELECT count(*) FROM items") == [(200,)]
        assert connection.ask("PRAGMA foreign_keys") == [(1,)]
    assert SyncDDLExecutor(executor.ddl).migrate(models_of(item(name=str, tags=(list[str], [])))).changes


def test_a_file_that_cannot_be_opened_is_one_error(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/no/such/folder/shop.db") as db:
        db.model(item(name=str))
        with pytest.raises(DatabaseError):
            db.create_tables()


def test_a_lazy_creation_that_fails_is_never_taken_for_done(tmp_path: Path) -> None:
    """Lesson 9: it fails each time, and not only the first."""
    with DataFlow(f"sqlite:///{tmp_path}/shop.db") as db:
        with db.connection() as connection:
            connection.ask("CREATE VIEW items AS SELECT 1 AS id")
        db.model(item(name=str))
        for _ in range(2):
            with pytest.raises(DataFlowError, match="is a view"):
                db.express_sync.create("Item", {"name": "a"})


def test_every_consumer_of_a_database_in_memory_sees_one_schema_with_its_foreign_keys() -> None:
    """Lesson 14."""
    with DataFlow("sqlite:///:memory:") as db:
        db.model(item(name=str))
        db.express_sync.create("Item", {"name": "a"})
        with db.connection() as connection:
            assert connection.ask("SELECT count(*) FROM items") == [(1,)]
            assert connection.ask("PRAGMA foreign_keys") == [(1,)]
            assert connection.ask("PRAGMA legacy_alter_table") == [(0,)]
        db.model(item(name=str, tags=(list[str], [])))
        assert db.express_sync.list("Item")[0]["tags"] == []
        with db.connection() as connection:
            assert connection.ask("PRAGMA foreign_keys") == [(1,)]


def test_no_operation_waits_for_the_schema_when_nothing_changed(sqlite_url: str) -> None:
    """Lesson 18: the schema is looked at once for each set of models, before the first operation."""
    with DataFlow(sqlite_url) as db:
        db.model(item(name=str))
        db.create_tables()
        with db.connection() as connection:
            connection.ask("BEGIN IMMEDIATE")  # whoever wanted to migrate would wait
            assert db.express_sync.count("Item") == 0
            connection.ask("ROLLBACK")


def test_what_hangs_on_a_table_that_is_made_anew_is_there_afterwards(sqlite_url: str) -> None:
    with DataFlow(sqlite_url, auto_migrate=False) as db:
        db.model(item(name=str))
        db.schema.migrate()
        with db.connection() as connection:
            for statement in (
                "CREATE TABLE log (line TEXT)",
                "CREATE TRIGGER noted AFTER INSERT ON items BEGIN INSERT INTO log VALUES (new.name); END",
                "CREATE INDEX odd ON items (lower(name) DESC) WHERE name <> ''",
                "CREATE VIEW seen AS SELECT name FROM items",
            ):
                connection.ask(statement)
        db.model(item(name=(str | None, None)))
        db.schema.migrate()

        db.express_sync.create("Item", {"name": "a"})
        with db.connection() as connection:
            assert connection.ask("SELECT line FROM log") == [("a",)]
            assert connection.ask("SELECT name FROM seen") == [("a",)]
            assert [index.name for index in inspect(connection, ["items"]).tables["items"].indexes] == ["odd"]
