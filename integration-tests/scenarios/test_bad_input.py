"""One table of bad input, through Python, HTTP, the command line and MCP: the same code everywhere, nothing written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from mcp import Client
from msgspec import Meta
from scenarios.asking import asked

from dataflow import DataFlow
from kailash.context import ANONYMOUS
from kailash.errors import KailashError
from nexus import Nexus
from nexus.channels.cli import app as program
from nexus.channels.mcp.server import McpChannel

LONG = "x" * 21
GOOD = {"sku": "A-1", "name": "Lamp", "price": 20.0}


def nested(depth: int) -> dict[str, Any]:
    """A filter that is *depth* levels deep."""
    filter: dict[str, Any] = {"price": 1.0}
    for _ in range(depth):
        filter = {"$not": filter}
    return filter


class Case(msgspec.Struct, frozen=True):
    """One bad input, as each way in spells it. None: it cannot be said there."""

    name: str
    code: str
    status: int
    exit: int
    action: str
    inputs: dict[str, Any]
    rest: tuple[str, str, Any] | None = None
    cli: tuple[str, ...] | None = None


def filtered(name: str, code: str, status: int, filter: Any) -> Case:
    text = json.dumps(filter)
    return Case(
        name, code, status, 2, "list", {"filter": filter},
        ("GET", f"/api/products?filter={text.replace('&', '%26').replace('$', '%24')}", None),
        ("products", "list", "--filter", text),
    )  # fmt: skip


def created(name: str, code: str, status: int, exit: int, values: dict[str, Any], *flags: str) -> Case:
    return Case(
        name, code, status, exit, "create", values, ("POST", "/api/products", values),
        ("products", "create", *flags) if flags else None,
    )  # fmt: skip


CASES = (
    created("missing field", "invalid_input", 422, 2, {"sku": "X"}, "--sku", "X"),
    created("empty body", "invalid_input", 422, 2, {}),
    created("wrong type", "invalid_input", 422, 2, {**GOOD, "price": "x"}, "--sku", "X", "--name", "x", "--price", "x"),
    created("unknown field", "invalid_input", 422, 2, {**GOOD, "prise": 1}),
    created("constraint", "invalid_input", 422, 2, {**GOOD, "price": -1.0}, "--sku", "X", "--name", "x", "--price=-1"),
    created("too long", "invalid_input", 422, 2, {**GOOD, "sku": LONG}, "--sku", LONG, "--name", "x", "--price", "1"),
    created("NUL in text", "invalid_input", 422, 2, {**GOOD, "sku": "X", "name": "a\0b"}),
    created("number past 64 bits", "invalid_input", 422, 2, {**GOOD, "sku": "X", "stock": 2**63}),
    created("managed field", "invalid_input", 422, 2, {**GOOD, "created_at": "2020-01-01T00:00:00Z"}),
    created("duplicate", "duplicate", 409, 5, GOOD, "--sku", "A-1", "--name", "Lamp", "--price", "20"),
    filtered("unknown filter field", "invalid_filter", 400, {"prise": 1}),
    filtered("unknown operator", "invalid_filter", 400, {"price": {"$near": 1}}),
    filtered("filter of a wrong type", "invalid_filter", 400, {"price__gte": "dear"}),
    filtered("filter too deep", "invalid_filter", 400, nested(200)),
    Case("unknown sort key", "invalid_sort", 400, 2, "list", {"sort": "prise"},
         ("GET", "/api/products?sort=prise", None), ("products", "list", "--sort", "prise")),
    Case("bad cursor", "invalid_page", 400, 2, "list", {"cursor": "nonsense"},
         ("GET", "/api/products?cursor=nonsense", None), ("products", "list", "--cursor", "nonsense")),
    Case("absent record", "record_not_found", 404, 4, "read", {"id": 99},
         ("GET", "/api/products/99", None), ("products", "get", "99")),
    Case("absent record to change", "record_not_found", 404, 4, "update", {"id": 99, "stock": 1},
         ("PATCH", "/api/products/99", {"stock": 1}), ("products", "update", "99", "--stock", "1")),
    Case("absent record to delete", "record_not_found", 404, 4, "delete", {"id": 99},
         ("DELETE", "/api/products/99", None), ("products", "delete", "99", "--yes")),
    Case("id of a wrong type", "invalid_input", 422, 2, "read", {"id": "one"},
         ("GET", "/api/products/one", None), ("products", "get", "one")),
    Case("nothing to change", "invalid_input", 422, 2, "update", {"id": 1},
         ("PATCH", "/api/products/1", {}), ("products", "update", "1")),
    Case("everything, unconfirmed", "unconfirmed", 428, 6, "bulk_delete", {"filter": {}},
         ("POST", "/api/products/bulk", {"operation": "delete", "filter": {}}), None),
    Case("one bad row of many", "invalid_input", 422, 2, "bulk_create", {"data": [{**GOOD, "sku": "B"}, {"sku": 5}]},
         ("POST", "/api/products/bulk", {"operation": "create", "records": [{**GOOD, "sku": "B"}, {"sku": 5}]}), None),
)  # fmt: skip
ids = [case.name for case in CASES]


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest) -> Iterator[tuple[DataFlow, Nexus]]:
    db = DataFlow(request.getfixturevalue(f"{request.param}_url"))

    @db.model
    class Product:
        sku: Annotated[str, Meta(max_length=20)]
        name: str
        price: Annotated[float, Meta(ge=0)]
        stock: int = 0
        __indexes__ = [{"fields": ["sku"], "unique": True}]

    db.express_sync.create("Product", GOOD)
    yield db, Nexus(dataflow_integration=db)
    db.close()


def stored(db: DataFlow) -> list[dict[str, Any]]:
    return db.express_sync.list("Product")


def by_python(db: DataFlow, app: Nexus, case: Case) -> str:
    capability = app.catalogue.find(f"products.{case.action}")
    with pytest.raises(KailashError) as refused:
        capability.direct(case.inputs, ANONYMOUS)
    return refused.value.code


def by_rest(db: DataFlow, app: Nexus, case: Case) -> str | None:
    if case.rest is None:
        return None
    (answer,) = asked(app, db, case.rest)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == answer.json()["status"] == case.status
    return str(answer.json()["code"])


def by_cli(db: DataFlow, app: Nexus, case: Case) -> str | None:
    if case.cli is None:
        return None
    with CliRunner().isolation() as (_, err, _):
        code = program.run([*case.cli, "--output", "json"], app)
        said = err.getvalue()
    assert code == case.exit, said
    return str(json.loads(said)["code"])


def by_mcp(db: DataFlow, app: Nexus, case: Case) -> str:
    channel = McpChannel(app.catalogue_of("mcp"), app.answer, app.options)

    async def ask() -> Any:
        async with Client(channel.server()) as client:
            answer = await client.call_tool(f"database_products_{case.action}", case.inputs)
            await db.close_async()
            return answer

    answer = asyncio.run(ask())
    assert answer.is_error
    return str(json.loads(answer.content[0].text)["code"])


@pytest.mark.parametrize("way", [by_python, by_rest, by_cli, by_mcp], ids=["python", "rest", "cli", "mcp"])
def test_bad_input_gets_its_code_and_writes_nothing(
    shop: tuple[DataFlow, Nexus], way: Callable[[DataFlow, Nexus, Case], str | None], subtests: pytest.Subtests
) -> None:
    db, app = shop
    before = stored(db)
    for case in CASES:
        with subtests.test(case.name):
            assert way(db, app, case) in (case.code, None)
            assert stored(db) == before


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"{", 400, "malformed_json"), (b'{"price": NaN}', 400, "malformed_json"), (b"[" * 9_999, 400, "malformed_json")],
)
def test_a_body_that_is_no_json_is_refused(
    shop: tuple[DataFlow, Nexus], content: bytes, status: int, code: str
) -> None:
    db, app = shop
    answer = post(db, app, content)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_of_20_megabytes_is_refused(shop: tuple[DataFlow, Nexus]) -> None:
    db, app = shop
    answer = post(db, app, b'{"name": "' + b"x" * 20_000_000 + b'"}')

    assert answer.status_code == 413
    assert len(stored(db)) == 1


def test_an_unknown_model_is_named_everywhere(shop: tuple[DataFlow, Nexus]) -> None:
    db, _ = shop
    with pytest.raises(KailashError) as refused:
        db.express_sync.create("Prodct", GOOD)

    assert refused.value.code == "unknown_model"
    assert "Product" in str(refused.value)


TEXTS = ("'; DROP TABLE products; --", '" OR 1=1', "$txn.id", "{{name}}", "${name}", "SELECT * FROM products", "%_\\")


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_stored_byte_for_byte_whatever_it_says(shop: tuple[DataFlow, Nexus], text: str) -> None:
    db, app = shop
    answer = post(db, app, json.dumps({**GOOD, "sku": "T", "name": text}).encode())

    assert answer.json()["name"] == text
    assert db.express_sync.find_one("Product", {"name": text}) is not None


def post(db: DataFlow, app: Nexus, content: bytes) -> httpx.Response:
    (answer,) = asked(app, db, ("POST", "/api/products", content), **{"content-type": "application/json"})
    return answer
