"""An agent works on a real database with every tool of a model, in both eras of the protocol.

The SDK's client checks each result against the output schema that was listed, so a schema that lies fails here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import pytest
from mcp import Client

from dataflow import DataFlow
from nexus import Nexus

pytestmark = pytest.mark.timeout(300)


class Tier(Enum):
    BASIC = "basic"
    VIP = "vip"


def declare(db: DataFlow) -> None:
    class Product:
        sku: str
        name: str
        price: float
        cost: Decimal | None = None
        tier: Tier = Tier.BASIC
        maker: UUID | None = None
        seen: datetime | None = None
        tags: list[str] = []
        __indexes__ = ({"fields": ["sku"], "unique": True},)

    db.model(Product)


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Nexus]:
    db = DataFlow(database_url)
    made = Nexus(dataflow_integration=db)
    declare(db)  # after the application that serves it
    yield made
    await db.close_async()


@pytest.fixture(params=["2026-07-28", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def visiting(app: Nexus, era: str) -> AsyncIterator[Client]:
    async with Client(app.mcp.server(), mode=era) as agent:
        await agent.list_tools()
        yield agent


async def do(agent: Client, action: str, **arguments: Any) -> dict[str, Any]:
    answer = await agent.call_tool(f"database_products_{action}", arguments)
    assert not answer.is_error, answer.content
    content: dict[str, Any] | None = answer.structured_content
    assert content is not None
    return content


async def test_every_tool_of_a_model_works_and_answers_as_its_schema_says(app: Nexus, era: str) -> None:
    maker, seen = str(uuid4()), "2026-01-02T03:04:05Z"
    rows = [{"sku": str(n), "name": f"Thing {n}", "price": n} for n in range(30)]
    again = [{**rows[0], "price": 9}, {**rows[0], "sku": "new"}]
    lamp = {"sku": "A", "name": "Lamp", "price": 2, "cost": "1.10", "tier": "vip", "maker": maker, "seen": seen}
    async with visiting(app, era) as agent:
        made = await do(agent, "create", **lamp)
        read = await do(agent, "read", id=made["id"])
        changed = await do(agent, "update", id=made["id"], price=3.5)
        kept = await do(agent, "upsert", conflict_on=["sku"], create=lamp, update={"price": 4})
        stored = await do(agent, "bulk_create", data=rows)
        raised = await do(agent, "bulk_update", filter={"price": {"$gte": 25}}, update={"tier": "vip"})
        merged = await do(agent, "bulk_upsert", data=again, conflict_on=["sku"])
        counted = await do(agent, "count", filter={"tier": "vip"})
        gone = await do(agent, "bulk_delete", filter={"price": {"$lt": 20}})
        left = await do(agent, "list", sort="-price", fields=["id", "sku"], count=True)
        deleted = await do(agent, "delete", id=left["records"][0]["id"])

    assert (read["cost"], read["tier"], read["maker"], read["seen"]) == ("1.10", "vip", maker, seen)
    assert (changed["price"], kept["record"]["price"], kept["created"]) == (3.5, 4.0, False)
    assert (stored["inserted"], raised["updated"], merged["inserted"], merged["updated"]) == (30, 5, 1, 1)
    assert counted == {"count": 6}
    assert (gone["deleted"], left["total"]) == (22, 10)
    assert left["records"][0]["sku"] == "29"
    assert deleted["deleted"]


async def test_pages_lead_through_every_record_once(app: Nexus, era: str) -> None:
    rows = [{"sku": str(n), "name": "x", "price": n % 3} for n in range(45)]
    seen: list[str] = []
    async with visiting(app, era) as agent:
        await do(agent, "bulk_create", data=rows)
        page = await do(agent, "list", sort="price")
        while True:
            seen += [record["sku"] for record in page["records"]]
            if page["next_cursor"] is None:
                break
            page = await do(agent, "list", sort="price", cursor=page["next_cursor"])

    assert len(seen) == 45
    assert set(seen) == {row["sku"] for row in rows}


async def test_a_model_that_appears_later_is_listed_and_works(app: Nexus, era: str) -> None:
    class Order:
        total: float

    async with visiting(app, era) as agent:
        app.options.integration.model(Order)
        listed = {tool.name for tool in (await agent.list_tools()).tools}
        made = await agent.call_tool("database_orders_create", {"total": 12.5})

    assert "database_orders_list" in listed
    assert len(listed) == 24
    assert not made.is_error
