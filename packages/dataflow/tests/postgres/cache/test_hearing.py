"""What only PostgreSQL can get wrong: being told of the writes of others, and not being told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dataflow import DataFlow


@pytest.fixture
def shop(postgres_url: str) -> Iterator[DataFlow]:
    with _database(postgres_url) as db:
        db.express_sync.create("Category", {"name": "Light"})
        db.express_sync.create("Product", {"name": "Lamp"})
        db.catch_up()
        yield db


def _database(url: str, **options: Any) -> DataFlow:
    db = DataFlow(url, **{"cache_enabled": True, **options})

    @db.model
    class Category:
        name: str

    @db.model
    class Product:
        name: str

    return db


def _sql(db: DataFlow, *statements: str) -> list[Any]:
    with db.connection() as connection:
        return [connection.ask(statement) for statement in statements][-1]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO products (name, created_at, updated_at) VALUES ('x', now(), now())",
        "UPDATE products SET name = 'x'",
        "DELETE FROM products",
        "TRUNCATE products",
    ],
)
def test_sql_of_others_makes_the_answers_of_its_table_old_and_no_others(shop: DataFlow, statement: str) -> None:
    for model in ("Product", "Category"):
        shop.express_sync.list(model)
    hits = shop.cache.hits
    _sql(shop, statement)
    shop.catch_up()

    truth = _sql(shop, "SELECT name FROM products")

    assert [each["name"] for each in shop.express_sync.list("Product")] == [name for (name,) in truth]
    assert shop.cache.hits == hits
    shop.express_sync.list("Category")
    assert shop.cache.hits == hits + 1


def test_what_is_undone_makes_nothing_old(shop: DataFlow) -> None:
    shop.express_sync.list("Product")
    _sql(shop, "BEGIN", "DELETE FROM products", "ROLLBACK", "SELECT 1")
    shop.catch_up()

    shop.express_sync.list("Product")

    assert shop.cache.hits == 1


def test_what_happens_while_the_connection_is_lost_is_never_an_old_answer(shop: DataFlow) -> None:
    shop.express_sync.list("Product")
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    _sql(shop, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    with _database(shop.options.database_url, cache_enabled=False) as other:
        other.express_sync.create("Product", {"name": "Torch"})

    assert shop.catch_up()
    assert len(shop.express_sync.list("Product")) == 2
    shop.express_sync.list("Product")
    assert shop.cache.hits >= 1  # it listens again


def test_a_tenant_that_writes_leaves_the_answers_of_others(postgres_url: str) -> None:
    with _database(postgres_url, multi_tenant=True) as db, _database(postgres_url, multi_tenant=True) as other:
        for tenant in ("acme", "globex"):
            with db.tenant(tenant):
                db.express_sync.create("Product", {"name": tenant})
        db.catch_up()
        for tenant in ("acme", "globex"):
            with db.tenant(tenant):
                db.express_sync.list("Product")
        with other.tenant("globex"):
            other.express_sync.create("Product", {"name": "new"})
        db.catch_up()

        with db.tenant("acme"):
            assert len(db.express_sync.list("Product")) == 1
        with db.tenant("globex"):
            assert len(db.express_sync.list("Product")) == 2
        assert db.cache.hits == 1
        with other.all_tenants(reason="a test"):
            other.express_sync.bulk_update("Product", [{"id": 1, "name": "x"}, {"id": 2, "name": "x"}])
        db.catch_up()
        with db.tenant("acme"):
            assert [each["name"] for each in db.express_sync.list("Product")] == ["x"]


def test_answers_of_a_table_that_does_not_tell_are_not_kept(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with _database(postgres_url, cache_enabled=False) as owner:
        owner.express_sync.create("Product", {"name": "Lamp"})
    with _database(postgres_url, auto_migrate=False) as db:
        for _ in range(2):
            assert db.express_sync.count("Product") == 1

        assert (db.cache.hits, db.cache.misses) == (0, 0)
    assert "answers of Product are not kept" in caplog.text


def test_a_second_start_makes_nothing(shop: DataFlow) -> None:
    query = "SELECT oid FROM pg_trigger WHERE tgname LIKE 'dataflow%' ORDER BY oid"
    before = _sql(shop, query)
    with _database(shop.options.database_url) as again:
        again.prepare()

    assert _sql(shop, query) == before and len(before) == 8
