"""What only PostgreSQL can get wrong: transactions that overlap, SQL of others, programs with different wishes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from dataflow import DataFlow
from dataflow.errors import SchemaMismatchError


@pytest.fixture
def shop(postgres_url: str) -> Iterator[DataFlow]:
    with _database(postgres_url, audited=True) as db:
        yield db


def _database(url: str, *, audited: bool, **options: Any) -> DataFlow:
    db = DataFlow(url, **options)

    @db.model
    class Product:
        name: str

        __dataflow__ = {"audit_log": audited, "feed": True}

    return db


def _connect(db: DataFlow) -> Any:
    arguments = db.url.psycopg2_arguments()
    return psycopg2.connect(**arguments)


def _names(db: DataFlow, since: int = 0) -> list[str]:
    return [event.after["name"] for event in db.feed.read(since) if event.after]


def test_no_row_is_skipped_because_sequence_order_is_not_commit_order(shop: DataFlow) -> None:
    """Lesson 23: the first to write is the last to commit, and a reader has passed in between."""
    create = shop.express_sync.create
    create("Product", {"name": "before"})
    slow = _connect(shop)
    insert = "INSERT INTO products (name, created_at, updated_at) VALUES (%s, now(), now())"
    slow.cursor().execute(insert, ("slow",))
    create("Product", {"name": "quick"})
    seen = shop.feed.read()
    slow.commit()
    slow.close()

    rest = shop.feed.read(seen[-1].sequence)

    assert [event.after["name"] for event in seen if event.after] == ["before", "quick"]
    assert [event.after["name"] for event in rest if event.after] == ["slow"]


def test_a_transaction_that_began_first_and_writes_last_is_not_skipped(shop: DataFlow) -> None:
    """Nor because a transaction's number says when it began and not when it was kept."""
    insert = "INSERT INTO products (name, created_at, updated_at) VALUES (%s, now(), now())"
    shop.express_sync.create("Product", {"name": "0"})
    first, second = _connect(shop), _connect(shop)
    for connection, name in ((first, "1"), (second, "2"), (first, "3")):
        connection.cursor().execute(insert, (name,))
    first.commit()
    seen = shop.feed.read()
    second.commit()

    assert _names(shop) == ["0", "1", "3", "2"]
    assert [event.after["name"] for event in shop.feed.read(seen[-1].sequence) if event.after] == ["2"]
    first.close()
    second.close()


def test_sql_of_others_is_told_and_audited_with_the_role_as_its_actor(shop: DataFlow) -> None:
    shop.express_sync.create("Product", {"name": "ours"})
    connection = _connect(shop)
    cursor = connection.cursor()
    cursor.execute("UPDATE products SET name = 'theirs'")
    cursor.execute("SELECT session_user")
    (role,) = cursor.fetchone()
    connection.commit()
    connection.close()

    entry = shop.audit.query(limit=1)[0]

    assert (entry.channel, entry.actor, entry.operation) == ("sql", role, "update")
    assert entry.before is not None and entry.before["name"] == "ours"


def test_what_a_write_says_of_itself_ends_with_it(postgres_url: str) -> None:
    """It goes before the statement in its message; a connection of the pool carries it no further."""
    with _database(postgres_url, audited=True, pool_size=1, max_overflow=0) as db:
        created = db.express_sync.create("Product", {"name": 'it\'s 100% \\ "ours"; --'})
        with db.connection() as connection:
            (said,) = connection.ask("SELECT current_setting('dataflow.told', true)")[0]
            connection.ask("UPDATE products SET name = 'theirs'")
        theirs, ours = db.audit.query(limit=2)

        assert not said
        assert (theirs.channel, ours.channel, ours.operation) == ("sql", "python", "create")
        assert ours.after is not None and ours.after["name"] == created["name"] == 'it\'s 100% \\ "ours"; --'


def test_of_a_change_that_nobody_audits_it_is_not_kept_who_made_it(postgres_url: str) -> None:
    with _database(postgres_url, audited=False) as db:
        db.express_sync.create("Product", {"name": "one"})
        with db.connection() as connection:
            connection.ask("UPDATE products SET name = 'theirs'")
            kept = connection.ask("SELECT actor, channel, request_id, operation, tenant FROM dataflow_changes")

        assert kept == [(None,) * 5] * 2
        assert _names(db) == ["one", "theirs"]


def test_a_write_is_not_told_for_the_tenant_of_another_of_its_transaction(postgres_url: str) -> None:
    """The model has no tenants, and what the transaction was told stays with it to the end."""
    with _database(postgres_url, audited=False) as db:
        create = db.express_sync.create
        with db.transaction_sync():
            with db.tenant("acme"):
                create("Product", {"name": "one"})
            create("Product", {"name": "two"})
            with db.tenant("globex"):
                create("Product", {"name": "three"})
        create("Product", {"name": "four"})

        assert [event.tenant for event in db.feed.read()] == ["acme", None, "globex", None]


def test_a_program_that_asks_for_less_says_to_the_audit_of_another_who_writes(shop: DataFlow) -> None:
    shop.prepare()

    with _database(shop.options.database_url, audited=False) as other:
        other.express_sync.create("Product", {"name": "two"})

    assert [(entry.channel, entry.operation) for entry in shop.audit.query()] == [("python", "create")]


def test_a_program_that_asks_for_less_does_not_end_the_audit_of_another(shop: DataFlow) -> None:
    shop.express_sync.create("Product", {"name": "one"})

    with _database(shop.options.database_url, audited=False) as other:
        other.express_sync.create("Product", {"name": "two"})

    assert len(shop.audit.query()) == 2


def test_a_program_that_asks_for_more_is_served_from_its_first_write(postgres_url: str) -> None:
    with _database(postgres_url, audited=False) as db:
        db.express_sync.create("Product", {"name": "one"})
    with _database(postgres_url, audited=True) as db:
        db.express_sync.create("Product", {"name": "two"})

        assert [entry.id for entry in db.audit.query()] == [2]
        assert _names(db) == ["one", "two"]


def test_without_the_right_to_make_triggers_an_audited_model_is_refused(postgres_url: str) -> None:
    with DataFlow(postgres_url) as owner:

        @owner.model
        class Product:
            name: str

        owner.express_sync.create("Product", {"name": "one"})
    with _database(postgres_url, audited=True, auto_migrate=False) as db:
        with pytest.raises(SchemaMismatchError, match="tell of the changes"):
            db.express_sync.create("Product", {"name": "two"})

        with _database(postgres_url, audited=True) as migrated:
            migrated.prepare()
        db.express_sync.create("Product", {"name": "two"})
        assert len(db.audit.query()) == 1


def test_a_second_start_makes_nothing(shop: DataFlow) -> None:
    shop.prepare()
    query = "SELECT oid FROM pg_trigger WHERE tgname LIKE 'dataflow%' ORDER BY oid"

    def triggers() -> list[Any]:
        with shop._sync.ddl() as connection:
            return connection.ask(query)

    there = triggers()
    with _database(shop.options.database_url, audited=True) as again:
        again.prepare()

    assert len(there) == 3
    assert triggers() == there
