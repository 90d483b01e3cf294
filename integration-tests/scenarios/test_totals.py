"""Totals of the seeds: over HTTP, on the command line, as agents' tools, and the dashboard as a workflow."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import CliRunner
from scenarios.asking import visiting
from scenarios.seeded_shop import analytics_dashboard

from dataflow import DataFlow
from kailash import AsyncLocalRuntime, LocalRuntime
from nexus import Nexus
from nexus.channels.cli import app as program

pytestmark = pytest.mark.timeout(180)

PRODUCTS = [
    {"name": "Lamp", "category": "lamps", "price": 20.0, "stock": 5},
    {"name": "Bright lamp", "category": "lamps", "price": 30.0, "stock": 15},
    {"name": "Chair", "category": "chairs", "price": 99.5, "stock": 2},
]


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url) as db:

        @db.model
        class Product:
            name: str
            category: str
            price: float
            stock: int = 0

        @db.model
        class Order:
            customer_id: int
            total: float
            status: str = "pending"

        await db.express.bulk_create("Product", PRODUCTS)
        orders = [(10.0, "completed"), (2.5, "completed"), (99.0, "pending")]
        rows = [{"customer_id": 1, "total": total, "status": status} for total, status in orders]
        await db.express.bulk_create("Order", rows)
        yield db


INVENTORY = [
    {"category": "chairs", "total_value": 199.0, "low_stock_count": 1},
    {"category": "lamps", "total_value": 550.0, "low_stock_count": 1},
]


def check(results: dict[str, Any]) -> None:
    (day,) = results["revenue"]["groups"]
    assert results["inventory"]["groups"] == INVENTORY
    assert (day["daily_revenue"], day["order_count"]) == (12.5, 2)
    assert day["created_at_day"].hour == 0


@pytest.mark.usefixtures("db")
async def test_the_dashboard_of_the_seeds_runs_its_two_aggregations() -> None:
    check((await AsyncLocalRuntime().execute(analytics_dashboard()))[0])
    check(LocalRuntime().execute(analytics_dashboard())[0])


@pytest.mark.usefixtures("db")
def test_the_two_aggregations_are_due_at_once() -> None:
    plan = analytics_dashboard().build().plan

    assert [step.id for step in plan.first] == ["inventory", "revenue"]


async def test_totals_over_http(db: DataFlow) -> None:
    app = Nexus(dataflow_integration=db)
    async with visiting(app) as client:
        plain = await client.get("/api/products/aggregate?group_by=category&sum=price&avg=stock&stock__gt=1")
        asked = {"aggregate": json.dumps({"value": {"$sum": {"$multiply": ["price", "stock"]}}}), "sort": "-value"}
        computed = await client.get("/api/products/aggregate", params={"group_by": "category", **asked})
        wrong = await client.get("/api/products/aggregate?group_by=categry")
        unknown = await client.get("/api/products/aggregate?grop_by=category")
        document = (await client.get("/openapi.json")).json()

    assert plain.json() == {
        "items": [
            {"category": "chairs", "sum_price": 99.5, "avg_stock": 2.0},
            {"category": "lamps", "sum_price": 50.0, "avg_stock": 10.0},
        ]
    }
    assert [row["category"] for row in computed.json()["items"]] == ["lamps", "chairs"]
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_input") and "category" in wrong.json()["detail"]
    assert unknown.status_code == 400 and "group_by" in unknown.text
    assert "/api/products/aggregate" in document["paths"]


def test_totals_on_the_command_line(db: DataFlow) -> None:
    app = Nexus(dataflow_integration=db)
    words = "products aggregate --group-by category --sum price --avg stock"
    with CliRunner().isolation() as (out, err, _):
        code = program.run(words.split(), app)
        answer, said = out.getvalue(), err.getvalue()

    assert (code, said) == (0, b"")
    assert json.loads(answer)["items"] == [
        {"category": "chairs", "sum_price": 99.5, "avg_stock": 2.0},
        {"category": "lamps", "sum_price": 50.0, "avg_stock": 10.0},
    ]


async def test_totals_can_be_hidden_from_all_or_from_agents(db: DataFlow) -> None:
    hidden = Nexus(dataflow_config={"integration": db, "expose_aggregations": False})
    kept = Nexus(dataflow_config={"integration": db, "expose_to_agents": {"analytics": False}})

    assert {name: "products.aggregate" in hidden.catalogue_of(name) for name in ("rest", "cli", "mcp")} == {
        "rest": False, "cli": False, "mcp": False,
    }  # fmt: skip
    assert {name: "products.aggregate" in kept.catalogue_of(name) for name in ("rest", "cli", "mcp")} == {
        "rest": True, "cli": True, "mcp": False,
    }  # fmt: skip
    async with visiting(hidden) as client:
        assert (await client.get("/api/products/aggregate?sum=price")).status_code in (404, 422)
