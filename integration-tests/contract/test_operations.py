"""All eleven operations, by node and by direct call, blocking and under asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dataflow import DataFlow
from kailash import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder

Row = dict[str, Any]
Do = Callable[[str, Row], Awaitable[Row]]


@pytest.fixture(params=["LocalRuntime", "AsyncLocalRuntime"])
def do(request: pytest.FixtureRequest, db: DataFlow) -> Do:
    """Run one operation of Product as the only step of a workflow."""

    async def run(operation: str, given: Row) -> Row:
        workflow = WorkflowBuilder()
        workflow.add_node(f"Product{operation}Node", "it", given)
        if request.param == "LocalRuntime":
            return dict(LocalRuntime().execute(workflow.build())[0]["it"])
        return dict((await AsyncLocalRuntime().execute(workflow.build()))[0]["it"])

    return run


async def lamp(do: Do, **more: Any) -> Row:
    return await do("Create", {"sku": "lamp", "name": "Lamp", "price": 20.0, "stock": 5, **more})


ROWS = [{"sku": f"s{number}", "name": f"Thing {number}", "price": float(number)} for number in range(10)]


async def test_create(do: Do) -> None:
    made = await lamp(do)

    assert (made["id"], made["stock"], made["active"], made["maker"]) == (1, 5, True, None)
    assert made["created_at"] is not None


async def test_read(do: Do) -> None:
    made = await lamp(do)

    read = await do("Read", {"id": made["id"]})

    assert read == {**made, "found": True}


async def test_update(do: Do) -> None:
    made = await lamp(do)

    changed = await do("Update", {"id": made["id"], "price": 25.0, "stock": {"$dec": 2}})

    assert (changed["price"], changed["stock"], changed["updated"]) == (25.0, 3, True)


async def test_delete(do: Do) -> None:
    made = await lamp(do)

    assert await do("Delete", {"id": made["id"]}) == {"id": made["id"], "deleted": True}
    assert (await do("Read", {"id": made["id"], "raise_on_not_found": False}))["found"] is False


async def test_list(do: Do) -> None:
    await do("BulkCreate", {"data": ROWS})

    listed = await do("List", {"filter": {"price": {"$gte": 3}, "active": True}, "sort": "-price", "limit": 2})

    assert [row["sku"] for row in listed["records"]] == ["s9", "s8"]
    assert [row["active"] for row in listed["records"]] == [True, True]


async def test_count(do: Do) -> None:
    await do("BulkCreate", {"data": ROWS})

    assert await do("Count", {"filter": {"$or": [{"price": {"$lt": 2}}, {"sku": "s9"}]}}) == {"count": 3}


async def test_upsert(do: Do) -> None:
    made = {"sku": "lamp", "name": "Lamp", "price": 1.0}
    given = {"where": {"sku": "lamp"}, "create": made, "update": {"price": 2.0}}

    first, second = await do("Upsert", given), await do("Upsert", given)

    assert (first["created"], first["action"], first["record"]["price"]) == (True, "created", 1.0)
    assert (second["created"], second["action"], second["record"]["price"]) == (False, "updated", 2.0)


async def test_bulk_create(do: Do) -> None:
    made = await do("BulkCreate", {"data": ROWS})

    assert (made["inserted"], made["processed"], made["failed"], made["success"]) == (10, 10, 0, True)


async def test_bulk_update(do: Do) -> None:
    await do("BulkCreate", {"data": ROWS})

    changed = await do("BulkUpdate", {"filter": {"price": {"$lt": 4}}, "update": {"stock": 7}})

    assert (changed["updated"], changed["success"]) == (4, True)
    assert (await do("Count", {"filter": {"stock": 7}}))["count"] == 4


async def test_bulk_delete(do: Do) -> None:
    await do("BulkCreate", {"data": ROWS})

    assert (await do("BulkDelete", {"filter": {"price": {"$gte": 8}}}))["deleted"] == 2
    assert (await do("Count", {}))["count"] == 8


async def test_bulk_upsert(do: Do) -> None:
    await do("BulkCreate", {"data": ROWS[:4]})

    done = await do("BulkUpsert", {"data": ROWS[:6], "conflict_on": ["sku"]})

    assert (done["inserted"], done["updated"], done["upserted"]) == (2, 4, 6)


def test_direct_calls_blocking(db: DataFlow) -> None:
    express = db.express_sync
    express.bulk_create("Product", ROWS)

    made = express.create("Product", {"sku": "lamp", "name": "Lamp", "price": 1.0})
    express.update("Product", made["id"], {"stock": 3})

    assert express.find_one("Product", {"sku": "lamp"}) == express.read("Product", made["id"])
    assert express.count("Product", {"stock": 3}) == 1
    assert [row["sku"] for row in express.list("Product", {"price__gte": 8}, order_by=["-price"])] == ["s9", "s8"]
    assert express.delete("Product", made["id"]) is True


async def test_direct_calls_under_asyncio(db: DataFlow) -> None:
    express = db.express
    await express.bulk_create("Product", ROWS)

    made = await express.create("Product", {"sku": "lamp", "name": "Lamp", "price": 1.0})
    await express.update("Product", made["id"], {"stock": 3})

    assert await express.find_one("Product", {"sku": "lamp"}) == await express.read("Product", made["id"])
    assert await express.count("Product", {"stock": 3}) == 1
    assert await express.delete("Product", made["id"]) is True
