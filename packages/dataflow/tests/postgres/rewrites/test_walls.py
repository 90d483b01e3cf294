"""Row level security: PostgreSQL keeps tenants apart as well, whatever path the rows take."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import sqlalchemy as sa
from hypothesis.stateful import run_state_machine_as_test

from dataflow import DataFlow
from dataflow.effects import query
from dataflow.errors import DatabaseError, DuplicateError, SchemaMismatchError, TenantRequiredError
from dataflow.operations.walled import EVERY, SETTING
from kailash.context import Context
from kailash.errors import ConfigurationError
from suites import all_tenants
from suites.evolution import item
from suites.faces import Face, Facing
from suites.tenants import items, machine

Ask = Callable[..., list[tuple[Any, ...]]]
TENANTS = {"multi_tenant": True, "row_level_security": True}


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    """A database whose owner is an ordinary role."""
    role, parts = f"kailash_bound_{secrets.token_hex(4)}", urlsplit(postgres_url)
    with closing(psycopg2.connect(postgres_url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'bound' NOSUPERUSER NOBYPASSRLS")
        cursor.execute(f'ALTER DATABASE "{parts.path[1:]}" OWNER TO {role}')
    yield urlunsplit(parts._replace(netloc=f"{role}:bound@{parts.netloc.rpartition('@')[2]}"))
    with closing(psycopg2.connect(postgres_url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f'ALTER DATABASE "{parts.path[1:]}" OWNER TO CURRENT_USER')
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
        cursor.execute(f"DROP OWNED BY {role} CASCADE")
        cursor.execute(f"DROP ROLE {role}")


@pytest.fixture
def ask(url: str) -> Iterator[Ask]:
    """SQL of the program's own role, beside dataflow."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True

        def asked(sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments or None)
                return cursor.fetchall() if cursor.description else []

        yield asked


@pytest.fixture
def shop(url: str, faced: Facing) -> Face:
    db = DataFlow(url, **TENANTS)
    db.model(item(name=str, size=(int, 0), __dataflow__={"versioned": True, "audit_log": True}))
    return faced(db)


def do(shop: Face, tenant: str, what: str, **inputs: Any) -> Any:
    return shop.within(Context(tenant=tenant), f"items.{what}", inputs)


class TestAllTenants(all_tenants.AllTenants):
    """Behind the wall."""

    def options(self) -> dict[str, Any]:
        return {"row_level_security": True}


@pytest.mark.parametrize("policies", [(), ("soft", "versioned", "cached")], ids=["tenants", "all"])
@pytest.mark.timeout(600)
def test_every_operation_does_behind_the_wall_what_it_does_without(
    url: str, blocking: bool, policies: tuple[str, ...]
) -> None:
    """The machine of three tenants: the same answers, the same errors."""
    on = {policy: policy in policies for policy in ("soft", "versioned")}
    face = items(
        url, blocking=blocking, **on, cache_enabled="cached" in policies, row_level_security=True, audit_logging=True
    )
    try:
        run_state_machine_as_test(machine(face, **on))
    finally:
        face.close()


def test_sql_that_names_no_tenant_finds_no_row_and_stores_none(shop: Face, ask: Ask) -> None:
    do(shop, "acme", "create", name="a")

    for table in ("items", "dataflow_versions_items"):
        assert ask(f"SELECT count(*) FROM {table}") == [(0,)]
        assert ask(f"DELETE FROM {table} RETURNING 1") == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask("INSERT INTO items (name, size, tenant_id, version) VALUES ('b', 1, 'acme', 1)")
    assert do(shop, "acme", "count") == {"count": 1}


def test_sql_that_names_a_tenant_cannot_touch_anothers_rows(shop: Face, ask: Ask) -> None:
    for tenant in ("acme", "globex"):
        do(shop, tenant, "create", name=tenant)
    ask("BEGIN")
    ask(f"SELECT set_config('{SETTING}', 'globex', true)")

    assert ask("SELECT name FROM items") == [("globex",)]
    assert ask("UPDATE items SET size = 9 WHERE name = 'acme' RETURNING 1") == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask("UPDATE items SET tenant_id = 'acme'")
    ask("ROLLBACK")
    assert do(shop, "acme", "list")["records"][0]["size"] == 0


def test_a_connection_of_the_pool_remembers_no_tenant(shop: Face) -> None:
    settings = [
        f"coalesce(current_setting('{name}', true), '') AS {as_}" for name, as_ in ((SETTING, "a"), (EVERY, "b"))
    ]
    said = f"SELECT {', '.join(settings)}, (SELECT count(*) FROM items) AS c"
    columns: list[sa.ColumnClause[Any]] = [
        sa.column("a", sa.Text()),
        sa.column("b", sa.Text()),
        sa.column("c", sa.Integer()),
    ]

    def remembered() -> Any:
        return shop.run(query("said", lambda: sa.text(said).columns(*columns), {})).items

    do(shop, "acme", "create", name="a")
    assert remembered() == [{"a": "", "b": "", "c": 0}]
    with pytest.raises(DuplicateError):
        do(shop, "acme", "create", id=1, name="b")
    assert remembered() == [{"a": "", "b": "", "c": 0}]
    with shop.transaction():
        shop.within(Context(all_tenants="the test"), "items.update", {"id": 1, "size": 1})
    assert remembered() == [{"a": "", "b": "", "c": 0}]
    with shop.db.connection() as connection:
        assert connection.ask("SELECT count(*) FROM items") == [(0,)]


def test_tenants_at_once_on_few_connections_see_their_own(url: str) -> None:
    with DataFlow(url, **TENANTS, pool_size=2, max_overflow=0) as db:
        db.model(item(name=str))
        db.prepare()
        wrong: list[Any] = []

        async def work(tenant: str) -> None:
            async with db.tenant(tenant):
                for number in range(8):
                    await db.express.create("Item", {"name": f"{tenant} {number}"})
                    wrong.extend(each for each in await db.express.list("Item") if each["tenant_id"] != tenant)

        async def all_of_them() -> None:
            await asyncio.gather(*[work(tenant) for tenant in "abcd"])
            await db.close_async()

        def blocking(tenant: str) -> None:
            with db.tenant(tenant):
                for _ in range(8):
                    wrong.extend(each for each in db.express_sync.list("Item") if each["tenant_id"] != tenant)

        asyncio.run(all_of_them())
        threads = [threading.Thread(target=blocking, args=(tenant,)) for tenant in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert wrong == []
        with db.all_tenants(reason="count them"):
            assert db.express_sync.count("Item") == 32


def test_one_transaction_may_act_for_several_tenants_and_for_all(shop: Face) -> None:
    do(shop, "acme", "create", name="a")
    with shop.transaction():
        do(shop, "globex", "create", name="b")
        assert shop.within(Context(all_tenants="the test"), "items.count", {}) == {"count": 2}
        assert do(shop, "acme", "count") == {"count": 1}
        with pytest.raises(TenantRequiredError):
            shop.within(Context(), "items.count", {})


def test_many_rows_at_once_take_the_wall_too(shop: Face) -> None:
    data = [{"name": str(number), "size": number} for number in range(500)]

    made = do(shop, "acme", "bulk_create", data=data, returning=True)
    do(shop, "globex", "bulk_create", data=data)

    assert len(made["ids"]) == 500
    assert do(shop, "acme", "aggregate", sum=["size"])["groups"] == [{"sum_size": sum(range(500))}]
    assert len(do(shop, "acme", "history", id=made["ids"][7])["versions"]) == 1
    assert do(shop, "globex", "bulk_delete", ids=made["ids"])["deleted"] == 0


def test_a_superuser_is_refused_at_the_start(postgres_url: str) -> None:
    with DataFlow(postgres_url, **TENANTS) as db:
        db.model(item(name=str))

        with pytest.raises(ConfigurationError, match="superuser or has BYPASSRLS"):
            db.prepare()


def test_where_no_policy_may_be_made_it_is_asked_for(url: str) -> None:
    with DataFlow(url, multi_tenant=True) as db:
        db.model(item(name=str))
        db.prepare()
    with DataFlow(url, **TENANTS, auto_migrate=False) as db:
        db.model(item(name=str))
        with pytest.raises(SchemaMismatchError, match="row level security"):
            db.prepare()


def test_a_database_gets_its_wall_later_and_a_new_column_behind_it(url: str, ask: Ask) -> None:
    with DataFlow(url, multi_tenant=True) as db:
        db.model(item(name=str))
        with db.tenant("acme"):
            db.express_sync.create("Item", {"name": "a"})
    for _ in range(2):
        with DataFlow(url, **TENANTS) as db:
            db.model(item(name=str, size=(int, 3), made=(str, "here"), __dataflow__={"versioned": True}))
            with db.tenant("acme"):
                found = db.express_sync.list("Item")
                assert [(each["size"], each["version"]) for each in found] == [(3, 1)]
                assert len(db.express_sync.history("Item", found[0]["id"])) == 1
    assert ask("SELECT count(*) FROM items") == [(0,)]
    assert ask("SELECT count(*) FROM pg_policies") == [(2,)]


def test_what_the_wall_refuses_is_an_error_without_values(url: str) -> None:
    """The wall alone: a policy of dataflow that went wrong would be stopped by it."""
    with DataFlow(url, **TENANTS) as db:
        db.model(item(name=str))
        db.prepare()
        with db.connection() as connection, pytest.raises(DatabaseError) as refused:
            connection.ask("INSERT INTO items (name, tenant_id) VALUES ('secret', 'acme')")

    assert "secret" not in str(refused.value)


def test_sqlite_says_that_it_has_none() -> None:
    with pytest.raises(ConfigurationError, match="SQLite has no row level security"):
        DataFlow("sqlite:///:memory:", **TENANTS)


def test_a_look_that_would_not_be_shown_all_records_is_refused(shop: Face, url: str) -> None:
    """Of a program that does not know of the wall: what it is not shown has not gone."""
    do(shop, "acme", "create", name="a")

    with DataFlow(url, multi_tenant=True, change_detection_method="polling") as db:
        db.model(item(name=str, size=(int, 0), __dataflow__={"versioned": True, "audit_log": True}))
        with pytest.raises(DatabaseError, match="may not do this"):
            db.feed.look()
        assert [each.event for each in db.feed.read()] == ["create"]
