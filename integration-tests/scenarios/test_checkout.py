"""The checkout of the seeds: two customers and one last item, a payment that fails, on every database and runtime."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
from msgspec import Meta
from scenarios.asking import visiting
from scenarios.seeded_shop import PaymentDeclinedError, checkout

from dataflow import DataFlow
from kailash import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder
from kailash.errors import WorkflowExecutionError
from nexus import Nexus

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def db(database_url: str) -> Iterator[DataFlow]:
    with DataFlow(database_url) as db:

        @db.model
        class Product:
            name: str
            stock: Annotated[int, Meta(ge=0)] = 0

        @db.model
        class Order:
            customer_id: int
            items: list[Any]  # [{product_id, quantity, price}]
            total: float
            status: str = "pending"

        db.express_sync.create("Product", {"name": "Lamp", "stock": 1})
        db.express_sync.create("Product", {"name": "Chair", "stock": 10})
        yield db


def order(customer: int, *, method: str = "card", lamps: int = 1) -> dict[str, Any]:
    items = [{"product_id": 2, "quantity": 1}, {"product_id": 1, "quantity": lamps}]
    return {"customer_id": customer, "items": items, "total": 25.0, "payment_method": method}


def state(db: DataFlow) -> tuple[list[int], list[int]]:
    """(stocks, customers who have an order)."""
    stocks = [row["stock"] for row in db.express_sync.list("Product")]
    return stocks, [row["customer_id"] for row in db.express_sync.list("Order")]


BOUGHT, SOLD_OUT = "bought", "stock_1"  # how an attempt ends: well, or at the step that takes the last item


async def try_async(built: WorkflowBuilder) -> str:
    try:
        await AsyncLocalRuntime().execute(built)
    except WorkflowExecutionError as error:
        return error.node_id
    return BOUGHT


async def test_of_two_at_once_one_gets_the_last_item(db: DataFlow) -> None:
    outcomes = await asyncio.gather(*[try_async(checkout(order(customer))) for customer in (7, 8)])

    assert sorted(outcomes) == [BOUGHT, SOLD_OUT]
    assert state(db) == ([0, 9], [7 + outcomes.index(BOUGHT)])
    await db.close_async()


def test_of_two_threads_one_gets_the_last_item(db: DataFlow) -> None:
    outcomes: dict[int, str] = {}

    def buy(customer: int) -> None:
        try:
            LocalRuntime().execute(checkout(order(customer)))
            outcomes[customer] = BOUGHT
        except WorkflowExecutionError as error:
            outcomes[customer] = error.node_id

    threads = [threading.Thread(target=buy, args=(customer,)) for customer in (7, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes.values()) == [BOUGHT, SOLD_OUT]
    assert state(db) == ([0, 9], [customer for customer, end in outcomes.items() if end == BOUGHT])


async def test_many_at_once_sell_no_more_than_there_is(db: DataFlow) -> None:
    await db.express.update("Product", 1, {"stock": 4})

    outcomes = await asyncio.gather(*[try_async(checkout(order(customer))) for customer in range(8)])

    assert sorted(outcomes) == [BOUGHT] * 4 + [SOLD_OUT] * 4
    stocks, customers = state(db)
    assert stocks == [0, 6]
    assert sorted(customers) == [customer for customer, end in enumerate(outcomes) if end == BOUGHT]
    await db.close_async()


async def test_a_payment_that_fails_leaves_nothing(db: DataFlow) -> None:
    for execute in (LocalRuntime().execute, AsyncLocalRuntime().execute):
        with pytest.raises(WorkflowExecutionError, match="payment") as caught:
            outcome: Any = execute(checkout(order(7, method="declined")))
            if asyncio.iscoroutine(outcome):
                await outcome

        assert caught.value.node_id == "payment"
        assert isinstance(caught.value.__cause__, PaymentDeclinedError)
        assert state(db) == ([1, 10], [])

    assert LocalRuntime().execute(checkout(order(7)))[0]["commit"]["committed"] is True
    assert state(db) == ([0, 9], [7])
    await db.close_async()


@pytest.fixture
async def client(db: DataFlow) -> AsyncIterator[httpx.AsyncClient]:
    nexus = Nexus(dataflow_integration=db)

    @nexus.api_endpoint("/api/checkout", methods=["POST"])
    def buy(order_data: dict[str, Any]) -> Any:
        return nexus.execute_workflow(checkout(order_data))

    async with visiting(nexus) as made:
        yield made
    await db.close_async()


async def test_the_checkout_of_the_seeds_over_http(client: httpx.AsyncClient, db: DataFlow) -> None:
    async def post(customer: int, **more: Any) -> int:
        answer = await client.post("/api/checkout", json=order(customer, **more))
        return answer.status_code

    declined = await post(6, method="declined")
    both = await asyncio.gather(post(7), post(8))

    assert declined >= 400
    assert sorted(status < 300 for status in both) == [False, True]
    stocks, customers = state(db)
    assert stocks == [0, 9] and len(customers) == 1
