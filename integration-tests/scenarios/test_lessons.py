"""What went wrong in systems like ours, where no test of one distribution alone can say it.

docs/explanation/lessons.md has all of the lessons, each with the tests that hold us to it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client
from scenarios import asking

from dataflow import DataFlow
from dataflow.errors import FeedPositionError
from kailash.events import Event
from nexus import Nexus
from nexus.channels.mcp.server import McpChannel

SECRET = "4111-1111-1111-1111"
Answer = tuple[int, str]


@pytest.fixture
def db(database_url: str) -> Iterator[DataFlow]:
    with DataFlow(database_url) as made:

        @made.model
        class Product:
            sku: str
            stock: int = 0
            __indexes__ = [{"fields": ["sku"], "unique": True}]
            __dataflow__ = {"feed": True}

        @made.model
        class Account:
            name: str
            __dataflow__ = {"multi_tenant": True}

        yield made


def asked(app: Nexus, db: DataFlow, *requests: asking.Request, **headers: str) -> list[Answer]:
    """Return (status, body) of each answer."""
    return [(answer.status_code, answer.text) for answer in asking.asked(app, db, *requests, **headers)]


async def tools(app: Nexus) -> set[str]:
    channel = McpChannel(app.catalogue_of("mcp"), app.answer, app.options)
    async with Client(channel.server(), mode="auto") as client:
        return {tool.name for tool in (await client.list_tools()).tools}


def test_discovery_shows_no_caller_what_it_may_not_call(db: DataFlow) -> None:
    """Lesson 4: what is not offered is in no list, and cannot be called by whoever knows its name."""
    shut = {"expose_bulk_operations": False, "expose_aggregations": False}
    app = Nexus(dataflow_config={"integration": db, **shut})
    (_, document), *calls = asked(
        app, db, ("GET", "/openapi.json", None),
        ("POST", "/api/products/bulk", {"operation": "create", "records": [{"sku": "a"}]}),
        ("GET", "/api/products/aggregate?sum=stock", None),
    )  # fmt: skip
    listed = asyncio.run(tools(app))

    assert "/api/products" in document and "bulk" not in document and "aggregate" not in document
    assert "database_products_list" in listed
    assert not [name for name in listed if "bulk" in name or "aggregate" in name]
    assert [status for status, _ in calls] == [
        405,
        422,
    ]  # these words are ids then, which nobody posts to, and no numbers
    assert db.express_sync.count("Product") == 0


@pytest.mark.parametrize("header", ["X-Tenant-ID", "x-tenant-id", "X-Tenant"])
def test_a_tenant_header_that_any_caller_can_set_opens_nothing(db: DataFlow, header: str) -> None:
    """Lesson 5: nobody has said who the caller is, so no word of its own makes it a tenant."""
    with db.tenant("acme"):
        made = db.express_sync.create("Account", {"name": "of acme"})

    one = f"/api/accounts/{made['id']}"
    requests = [("GET", "/api/accounts", None), ("GET", one, None), ("POST", "/api/accounts", {"name": "forged"})]
    answers = asked(Nexus(dataflow_integration=db), db, *requests, ("DELETE", one, None), **{header: "acme"})

    assert all(status in (401, 403) for status, _ in answers), answers
    assert not [body for _, body in answers if "of acme" in body]
    with db.all_tenants(reason="look"):
        assert [each["name"] for each in db.express_sync.list("Account")] == ["of acme"]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Host"])
def test_an_address_that_anybody_can_write_is_believed_by_nobody(db: DataFlow, header: str) -> None:
    """Lesson 6: a caller that claims to come from this machine is still a foreign page."""
    foreign = {"origin": "https://evil.example.com", "sec-fetch-site": "cross-site", header: "127.0.0.1"}

    ((status, body),) = asked(Nexus(dataflow_integration=db), db, ("POST", "/api/products", {"sku": "a"}), **foreign)

    assert status == 403, body
    assert db.express_sync.count("Product") == 0


def test_error_bodies_and_logs_have_no_driver_text_and_no_row_values(
    db: DataFlow, caplog: pytest.LogCaptureFixture
) -> None:
    """Lesson 21: what a database says of a refused row repeats the row."""
    caplog.set_level(logging.DEBUG)
    app = Nexus(dataflow_integration=db)
    row = {"sku": SECRET}
    create, bulk = ("POST", "/api/products", row), {"operation": "create", "records": [row]}
    wrong: list[tuple[str, str, Any]] = [
        create,
        ("POST", "/api/products", {"sku": [SECRET]}),
        ("GET", "/api/products?sku__near=1", None),
        ("PATCH", "/api/products/1", {"stock": SECRET}),
        ("POST", "/api/products/bulk", bulk),
    ]
    answers = asked(app, db, create, *wrong)
    with db.connection() as connection:
        connection.ask("DROP TABLE products")
    answers += asked(app, db, create, ("GET", "/api/products/1", None))

    refused = [body for status, body in answers if status >= 400]
    assert len(refused) == len(answers) - 1
    said = "\n".join([*refused, *[record.getMessage() for record in caplog.records if record.name != "httpx"]])
    for driver in (
        "sqlite3",
        "psycopg",
        "asyncpg",
        "INSERT INTO",
        "UNIQUE constraint",
        "duplicate key",
        "no such table",
    ):
        assert driver not in said
    assert SECRET not in said
    assert "postgres:postgres" not in said


def test_a_feed_does_not_grow_without_bound_behind_a_slow_reader(db: DataFlow) -> None:
    """Lesson 23: what waits for a listener waits in the database, and the process holds a batch of it at most."""
    begun, go, done = threading.Event(), threading.Event(), threading.Event()
    heard: list[int] = []
    held: list[int] = []

    def slow(event: Event) -> None:
        begun.set()
        go.wait(60)
        heard.append(event.id)
        if len(heard) % 300 == 1:
            held.append(sum(isinstance(each, Event) for each in gc.get_objects()))
        if len(heard) == 2_001:
            done.set()

    db.on_model_change("Product", slow)
    db.express_sync.create("Product", {"sku": "first"})
    assert begun.wait(60)
    db.express_sync.bulk_create("Product", [{"sku": str(number)} for number in range(2_000)])  # does not wait for it
    go.set()

    assert done.wait(60)
    assert heard == sorted({*heard})
    assert max(held) <= 1_000


def test_a_reader_that_comes_too_late_is_told_so_and_not_given_a_gap(db: DataFlow) -> None:
    """Lesson 23: a feed that forgets in silence has skipped a row."""
    for number in range(3):
        db.express_sync.create("Product", {"sku": str(number)})
    first = db.feed.read(limit=1)[0].sequence
    db.feed.purge(older_than=-60)

    with pytest.raises(FeedPositionError):
        db.feed.read(since=first)
