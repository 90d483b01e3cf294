"""Every workflow of the seeds by its name: both runtimes, HTTP, the command line and agents, on both databases."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mcp import Client
from scenarios.asking import visiting
from scenarios.seeded_shop import BUILT, FIXED, declare, offer

from dataflow import DataFlow
from kailash import AsyncLocalRuntime, LocalRuntime
from kailash.errors import KailashError
from nexus import Nexus
from nexus.channels.cli import app as program
from nexus.channels.mcp.server import McpChannel

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:node 'check_vip'"),  # a branch of it names no node: there is nothing to do
]
Row = dict[str, Any]

LAMP, CHAIR = 1, 2
VIP, STANDARD = 1, 2


class Shop:
    """The application, and what its tables hold."""

    def __init__(self, url: str) -> None:
        self.db = DataFlow(url)
        self.nexus = Nexus(title="Shop", dataflow_integration=self.db)
        declare(self.db)
        offer(self.nexus)

    def stock(self) -> None:
        create = self.db.express_sync.create
        create("Product", {"name": "Lamp", "price": 20.0, "category": "lamps", "stock": 5})
        create("Product", {"name": "Chair", "price": 99.5, "category": "chairs", "stock": 20})
        create("Customer", {"email": "a@x.org", "name": "$order.id", "tier": "vip"})
        create("Customer", {"email": "b@x.org", "name": "Bo"})
        create("Order", {"customer_id": VIP, "product_id": LAMP, "quantity": 2, "total": 40.0})

    def all(self, model: str) -> list[Row]:
        return self.db.express_sync.list(model, order_by=["id"])


@pytest.fixture
async def shop(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))
    made = Shop(database_url)
    made.stock()
    yield made
    made.nexus.close()
    await made.db.close_async()


# -- the ways in: each returns the outputs of the steps by their ids

Way = Callable[[Shop, str, Row], Awaitable[Row]]


def written(name: str, given: Row) -> tuple[Any, Row]:
    """(what the seeds wrote, its inputs)."""
    return (FIXED[name](), given) if name in FIXED else (BUILT[name](**given), {})


async def blocking(shop: Shop, name: str, given: Row) -> Row:
    return LocalRuntime().execute(*written(name, given))[0]


async def under_loop(shop: Shop, name: str, given: Row) -> Row:
    return (await AsyncLocalRuntime().execute(*written(name, given)))[0]


async def http(shop: Shop, name: str, given: Row) -> Row:
    async with visiting(shop.nexus) as client:
        answer = await client.post(f"/workflows/{name}/execute", json={"inputs": given})
    if answer.status_code >= 400:
        raise KailashError(answer.json()["detail"])
    outputs: Row = answer.json()["outputs"]
    return outputs


async def terminal(shop: Shop, name: str, given: Row) -> Row:
    with CliRunner().isolation() as (out, err, _):
        code = await asyncio.to_thread(program.run, ["run", name, "--data", json.dumps(given)], shop.nexus)
        answer, said = out.getvalue(), err.getvalue()
    if code:
        raise KailashError(said.decode())
    outputs: Row = json.loads(answer)["outputs"]
    return outputs


async def agent(shop: Shop, name: str, given: Row) -> Row:
    channel = McpChannel(shop.nexus.catalogue_of("mcp"), shop.nexus.answer, shop.nexus.options)
    async with Client(channel.server()) as client:
        answer = await client.call_tool(name, given)
    if answer.is_error:
        raise KailashError(str(answer.content))
    outputs: Row = answer.structured_content["outputs"]
    return outputs


@pytest.fixture(params=[blocking, under_loop, http, terminal, agent], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


# -- the workflows


@pytest.mark.parametrize("name", ["create_user", "create_user_000"])
async def test_create_user(shop: Shop, way: Way, name: str) -> None:
    given = {"email": "{{email}}", "full_name": "$create.id"} if name == "create_user" else {"email": "${email}"}

    outputs = await way(shop, name, given)

    (user,) = shop.all("User")
    assert outputs["create"]["id"] == user["id"] == str(uuid.UUID(user["id"]))
    assert {key: user[key] for key in given} == given


async def test_create_session(shop: Shop, way: Way) -> None:
    await way(shop, "create_session", {"user_id": "u-1", "token": "secret"})

    assert [(each["user_id"], each["token"]) for each in shop.all("Session")] == [("u-1", "secret")]


async def test_process_order(shop: Shop, way: Way) -> None:
    outputs = await way(shop, "process_order", {"order_id": 1})

    assert outputs["update_stock"]["stock"] == 3
    assert [each["stock"] for each in shop.all("Product")] == [3, 20]
    assert [each["status"] for each in shop.all("Order")] == ["completed"]
    with pytest.raises(KailashError, match="no Order"):
        await way(shop, "process_order", {"order_id": 99})
    assert [each["stock"] for each in shop.all("Product")] == [3, 20]


async def test_checkout(shop: Shop, way: Way) -> None:
    items = [{"product_id": LAMP, "quantity": 2, "price": 20.0}, {"product_id": CHAIR, "quantity": 1, "price": 99.5}]
    bought = {"customer_id": STANDARD, "items": items, "total": 139.5, "payment_method": "card"}

    outputs = await way(shop, "checkout", {"order_data": bought})

    assert outputs["commit"]["committed"] is True
    assert shop.all("Order")[1]["items"] == items
    assert [each["stock"] for each in shop.all("Product")] == [3, 19]
    for refused in ({"payment_method": "declined"}, {"items": [{"product_id": LAMP, "quantity": 4, "price": 20.0}]}):
        with pytest.raises(KailashError):
            await way(shop, "checkout", {"order_data": bought | refused})
    assert [each["stock"] for each in shop.all("Product")] == [3, 19]
    assert len(shop.all("Order")) == 2


async def test_analytics_dashboard(shop: Shop, way: Way) -> None:
    shop.db.express_sync.update("Order", 1, {"status": "completed"})

    outputs = await way(shop, "analytics_dashboard", {})

    assert outputs["inventory"]["groups"] == [
        {"category": "chairs", "total_value": 1990.0, "low_stock_count": 0},
        {"category": "lamps", "total_value": 100.0, "low_stock_count": 1},
    ]
    (day,) = outputs["revenue"]["groups"]
    assert (day["daily_revenue"], day["order_count"]) == (40.0, 1)


async def test_process_vip_order(shop: Shop, way: Way) -> None:
    outputs = await way(shop, "process_vip_order", {"order_data": {"customer_id": VIP, "total": 100.0}})

    assert outputs["create_order"]["total"] == 90.0
    assert shop.all("Order")[1]["benefits_applied"] == ["10% off", "free shipping"]


async def test_process_vip_order_of_another_customer_names_what_it_lacks(shop: Shop, way: Way) -> None:
    """As written, the total comes from the discount alone, which is skipped for who is no VIP."""
    with pytest.raises(KailashError, match="total"):
        await way(shop, "process_vip_order", {"order_data": {"customer_id": STANDARD, "total": 100.0}})

    assert len(shop.all("Order")) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/orders/1/process", None),
        ("POST", "/api/checkout", {"customer_id": 1, "items": [], "total": 1.0, "payment_method": "card"}),
        ("GET", "/api/analytics/dashboard", None),
    ],
)
async def test_the_endpoints_of_the_seeds(shop: Shop, method: str, path: str, body: Row | None) -> None:
    async with visiting(shop.nexus) as client:
        answer = await client.request(method, path, json=body)

    assert answer.status_code == 200, answer.text
    assert {"complete", "commit", "revenue"} & set(answer.json())
