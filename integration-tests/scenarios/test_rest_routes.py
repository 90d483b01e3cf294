"""The route table of the seeds, over a real database: Nexus, DataFlow and models in any order."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from decimal import Decimal
from enum import Enum
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from scenarios.asking import visiting

from dataflow import DataFlow
from nexus import Nexus

pytestmark = pytest.mark.timeout(180)


class Tier(Enum):
    BASIC = "basic"
    VIP = "vip"


def declare(db: DataFlow) -> None:
    class Product:
        sku: str
        name: str
        price: float
        stock: int = 0
        active: bool = True
        tier: Tier = Tier.BASIC
        cost: Decimal | None = None
        __indexes__ = ({"fields": ["sku"], "unique": True},)

    db.model(Product)


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    db = DataFlow(database_url)
    app = Nexus(title="Shop", dataflow_integration=db)
    declare(db)  # after the application that serves it
    async with visiting(app) as made:
        yield made
    await db.close_async()


def product(number: int, **more: Any) -> dict[str, Any]:
    return {"sku": f"S-{number}", "name": f"Thing {number}", "price": float(number), **more}


async def test_one_record_lives_and_goes(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/products", json=product(1, cost="1.10", tier="vip"))
    where = made.headers["location"]
    changed = await client.patch(where, json={"stock": {"$inc": 3}})
    put = await client.put(where, json={"price": 9.5})
    read = await client.get(where)
    gone = await client.delete(where)

    assert (made.status_code, made.json()["cost"], made.json()["tier"]) == (201, "1.10", "vip")
    assert (changed.status_code, changed.json()["stock"]) == (200, 3)
    assert (put.json()["price"], put.json()["name"], put.json()["stock"]) == (9.5, "Thing 1", 3)
    assert read.json() == put.json()
    assert (gone.status_code, (await client.get(where)).status_code) == (204, 404)


async def test_pages_follow_the_cursor_to_the_end(client: httpx.AsyncClient) -> None:
    await client.post("/api/products/bulk", json={"operation": "create", "records": [product(n) for n in range(45)]})

    seen: list[float] = []
    url: str | None = "/api/products?sort=-price&price__gte=5&count=exact"
    while url:
        page = await client.get(url)
        assert page.json()["total"] == 40
        seen += [item["price"] for item in page.json()["items"]]
        url = page.links.get("next", {}).get("url")

    assert seen == [float(number) for number in range(44, 4, -1)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("active=true&sort=-price&limit=2", [4.0, 3.0]),
        ("name__contains=hing%203&price__gte=1", [3.0]),
        ("price__between=1,2", [1.0, 2.0]),
        ("sku__in=S-0,S-4", [0.0, 4.0]),
        ("cost__isnull=true&price__lt=1", [0.0]),
        ('filter={"$or":[{"price":1},{"price":{"$gt":3}}]}', [1.0, 4.0]),
    ],
)
async def test_filters_of_the_seeds(client: httpx.AsyncClient, query: str, expected: list[float]) -> None:
    await client.post("/api/products/bulk", json={"operation": "create", "records": [product(n) for n in range(5)]})

    answer = await client.get(f"/api/products?{query}")

    assert [item["price"] for item in answer.json()["items"]] == expected


async def test_upsert_and_the_four_bulk_operations(client: httpx.AsyncClient) -> None:
    async def bulk(**document: Any) -> dict[str, Any]:
        answer = await client.post("/api/products/bulk", json=document)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    first = await client.put("/api/products?conflict_on=sku", json=product(1))
    second = await client.post("/api/products/upsert", json={**product(1, stock=7), "conflict_on": ["sku"]})
    assert (first.status_code, second.status_code, second.json()["stock"]) == (201, 200, 7)
    assert second.json()["id"] == first.json()["id"]

    assert (await bulk(operation="create", records=[product(2), product(3)]))["inserted"] == 2
    merged = await bulk(operation="upsert", data=[product(3, stock=1), product(4)], conflict_on=["sku"])
    assert (merged["inserted"], merged["updated"]) == (1, 1)
    assert (await bulk(operation="update", filter={"price": {"$gte": 3}}, fields={"active": False}))["updated"] == 2
    assert (await bulk(operation="delete", filter={"active": False}))["deleted"] == 2
    assert (await client.get("/api/products/count")).json() == {"count": 2}


async def test_a_duplicate_and_a_wrong_batch_change_nothing(client: httpx.AsyncClient) -> None:
    await client.post("/api/products", json=product(1))

    duplicate = await client.post("/api/products", json=product(1))
    batch = await client.post("/api/products/bulk", json={"operation": "create", "records": [product(2), {"sku": 5}]})

    assert (duplicate.status_code, duplicate.json()["code"]) == (409, "duplicate")
    assert (batch.status_code, batch.json()["code"]) == (422, "invalid_input")
    assert (await client.get("/api/products/count")).json() == {"count": 1}


async def test_the_document_of_a_real_model_is_valid(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    assert {"Product", "ProductCreate"} <= document["components"]["schemas"].keys()


def test_models_may_come_from_a_thread_while_it_serves(database_url: str) -> None:
    db = DataFlow(database_url)
    with db, Nexus(api_port=0, enable_mcp=False, dataflow_integration=db) as app:
        app.start(blocking=False)
        with httpx.Client(base_url=app.api_url, timeout=60) as client:
            assert client.get("/api/products").status_code == 404

            thread = threading.Thread(target=declare, args=(db,))
            thread.start()
            thread.join()

            assert client.post("/api/products", json=product(1)).status_code == 201
            assert client.get("/health/ready").status_code in {200, 503}
