"""The seeds' workflows, served: models and workflows in one application, over every channel, on both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dataflow import DataFlow
from kailash.nodes.base import node
from kailash.workflow.builder import WorkflowBuilder
from kailash.workflow.graph import WorkflowWarning
from nexus import Nexus
from nexus.channels.mcp.calls import Desk

pytestmark = pytest.mark.timeout(240)


@node
def calculate_discount(base_total: float, discount_percent: float, free_shipping: bool = False) -> dict[str, Any]:
    """What the seeds use and leave to the program."""
    total = round(base_total * (100 - discount_percent) / 100, 2)
    return {"final_total": total, "benefits": "free shipping" if free_shipping else ""}


class Shop:
    """The application of the seeds, the Nexus first."""

    def __init__(self, database_url: str) -> None:
        self.db = DataFlow(database_url)
        self.nexus = Nexus(title="Shop", dataflow_integration=self.db)
        self.offer()
        self.declare()

    def declare(self) -> None:
        @self.db.model
        class User:
            id: str
            email: str

        @self.db.model
        class Customer:
            name: str
            tier: str = "basic"

        @self.db.model
        class Product:
            name: str
            stock: int = 0

        @self.db.model
        class Order:
            customer_id: int
            product_id: int | None = None
            quantity: int = 1
            total: float = 0.0
            benefits_applied: str | None = None
            status: str = "pending"

    def offer(self) -> None:
        nexus = self.nexus

        workflow = WorkflowBuilder()
        workflow.add_node("UserCreateNode", "create", {"email": "${email}"})
        nexus.register("create_user", workflow)

        @nexus.api_endpoint("/api/orders/{order_id}/process", methods=["POST"])
        def process_order(order_id: int) -> Any:
            workflow = WorkflowBuilder()
            workflow.add_node("OrderReadNode", "order", {"id": order_id})
            workflow.add_node("ProductReadNode", "product", {"id": "$order.product_id"})
            workflow.add_node(
                "ProductUpdateNode", "update_stock", {"id": "$order.product_id", "stock": {"$dec": "$order.quantity"}}
            )
            workflow.add_node("OrderUpdateNode", "complete", {"id": order_id, "status": "completed"})
            return nexus.execute_workflow(workflow)

        @nexus.workflow("process_vip_order")
        def process_vip_order(order_data: dict) -> WorkflowBuilder:  # type: ignore[type-arg]  # as the seeds write it
            workflow = WorkflowBuilder()
            workflow.add_node("CustomerReadNode", "customer", {"id": order_data["customer_id"]})
            workflow.add_node(
                "ConditionalNode",
                "check_vip",
                {
                    "condition": "$customer.tier == 'vip'",
                    "true_branch": "apply_discount",
                    "false_branch": "standard_processing",
                },
            )
            workflow.add_node(
                "CalculateDiscountNode",
                "apply_discount",
                {"base_total": order_data["total"], "discount_percent": 10, "free_shipping": True},
            )
            workflow.add_node(
                "OrderCreateNode",
                "create_order",
                {
                    **order_data,
                    "total": {"$coalesce": ["$apply_discount.final_total", order_data["total"]]},
                    "benefits_applied": "$apply_discount.benefits",
                },
            )
            return workflow


@pytest.fixture
async def shop(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))
    made = Shop(database_url)
    yield made
    made.nexus._offered().close()
    await made.db.close_async()


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shop.nexus.asgi), base_url="http://shop") as made:
        yield made


async def test_a_user_is_created_over_http_and_by_an_agent(shop: Shop, client: httpx.AsyncClient) -> None:
    over_http = await client.post("/workflows/create_user/execute", json={"inputs": {"email": "{{email}}"}})
    agents = Desk(shop.nexus.catalogue_of("mcp"), shop.nexus.answer, shop.nexus.options)
    by_agent = await agents.call("create_user", {"email": "$create.id"}, {})

    assert over_http.status_code == 200, over_http.text
    assert not by_agent.failed
    users = (await client.get("/api/users", params={"sort": "id"})).json()["items"]
    assert sorted(user["email"] for user in users) == ["$create.id", "{{email}}"]
    assert all(uuid.UUID(user["id"]) for user in users)


async def test_an_order_is_processed_by_an_endpoint(client: httpx.AsyncClient) -> None:
    product = (await client.post("/api/products", json={"name": "Lamp", "stock": 5})).json()
    order = {"customer_id": 1, "product_id": product["id"], "quantity": 2}
    order = (await client.post("/api/orders", json=order)).json()

    answer = await client.post(f"/api/orders/{order['id']}/process")

    assert answer.status_code == 200, answer.text
    assert answer.json()["update_stock"]["stock"] == 3
    assert answer.json()["complete"]["status"] == "completed"
    assert (await client.post("/api/orders/999/process")).status_code == 404


@pytest.mark.parametrize(("tier", "total", "benefits"), [("vip", 90.0, "free shipping"), ("basic", 100.0, None)])
async def test_a_vip_has_benefits(client: httpx.AsyncClient, tier: str, total: float, benefits: str | None) -> None:
    customer = (await client.post("/api/customers", json={"name": "$order", "tier": tier})).json()
    inputs = {"order_data": {"customer_id": customer["id"], "total": 100.0}}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkflowWarning)  # no node is named standard_processing
        answer = await client.post("/workflows/process_vip_order/execute", json={"inputs": inputs})

    assert answer.status_code == 200, answer.text
    made = answer.json()["outputs"]["create_order"]
    assert (made["total"], made["benefits_applied"]) == (total, benefits)


PROGRAM = """
import pathlib, sys, threading
from dataflow import DataFlow
from kailash import WorkflowBuilder
from nexus import Nexus

db = DataFlow(sys.argv[1])
app = Nexus(api_port=0, mcp_port=None, dataflow_integration=db)

def wait(name: str) -> dict:
    pathlib.Path("reached").touch()
    if not pathlib.Path("go").exists():
        threading.Event().wait()
    return {"waited": True}

@db.model
class Product:
    name: str

make = WorkflowBuilder()
make.add_node("ProductCreateNode", "first", {"name": "{{name}}"})
make.add_node(wait, "wait", {"name": "$first.name"})
make.add_node("ProductCreateNode", "second", {"name": "{{name}}"})
app.register("make", make)
app.start()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_what_was_cut_off_goes_on_when_the_server_starts_again(
    tmp_path: Path, database_url: str, number: signal.Signals
) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    with serving(tmp_path, database_url) as (process, client):
        client.post("/workflows/make/execute", json={"inputs": {"name": "x"}}, headers={"prefer": "respond-async"})
        while not (tmp_path / "reached").exists():
            client.get("/health/live")
        process.send_signal(number)
        process.wait()

    (tmp_path / "go").touch()
    with serving(tmp_path, database_url) as (process, client):
        jobs: list[dict[str, Any]] = []
        while not jobs or jobs[0]["status"] != "done":
            jobs = client.get("/jobs").json()["jobs"]
        names = [each["name"] for each in client.get("/api/products").json()["items"]]
        process.send_signal(signal.SIGTERM)

    assert names == ["x", "x"]


class serving:
    """A program that serves, and a client of it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "app.py", url], cwd=folder, env={**os.environ}, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        address = self.process.stderr.readline().split(" on ")[1].split()[0]
        self.client = httpx.Client(base_url=address, timeout=60)

    def __enter__(self) -> tuple[subprocess.Popen[str], httpx.Client]:
        return self.process, self.client

    def __exit__(self, *failure: object) -> None:
        self.client.close()
        if any(failure):
            self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
