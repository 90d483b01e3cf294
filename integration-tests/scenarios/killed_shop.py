"""A program that checks out under load, to be killed; started again, it goes on with the runs that were cut off.

``python killed_shop.py <url> <orders>`` buys by itself and says each order that is done; with ``serve`` in the place
of the number it serves the checkout over HTTP.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

from msgspec import Meta

from dataflow import DataFlow
from kailash import AsyncLocalRuntime, WorkflowBuilder
from nexus import Nexus

AT_ONCE = 6  # checkouts side by side


def shop_at(url: str) -> DataFlow:
    db = DataFlow(url)

    @db.model
    class Product:
        name: str
        stock: Annotated[int, Meta(ge=0)] = 0

    @db.model
    class Order:
        customer_id: int
        product_id: int
        total: float

    @db.model
    class Payment:
        customer_id: int
        amount: float

    @db.model
    class Receipt:
        customer_id: int

    return db


def checkout(db: DataFlow) -> WorkflowBuilder:
    async def pay(customer: int, amount: float) -> dict[str, Any]:
        return await db.express.create("Payment", {"customer_id": customer, "amount": amount})

    workflow = WorkflowBuilder()
    workflow.add_node("TransactionStartNode", "txn")
    workflow.add_node(
        "OrderCreateNode", "order", {"customer_id": "{{customer}}", "product_id": "{{product}}", "total": 5.0}
    )
    workflow.add_node("ProductUpdateNode", "stock", {"id": "$order.product_id", "stock": {"$dec": 1}})
    workflow.add_node(pay, "payment", {"customer": "{{customer}}", "amount": "$order.total"})
    workflow.add_node("TransactionCommitNode", "commit", {"transaction_id": "$txn.id"})
    workflow.add_node("ReceiptCreateNode", "receipt", {"customer_id": "$order.customer_id"})
    return workflow


async def buy_all(url: str, orders: int) -> None:
    async with shop_at(url) as db:
        await asyncio.to_thread(db.prepare)
        runtime, built = AsyncLocalRuntime(store=db.run_store()), checkout(db).build()
        places = asyncio.Semaphore(AT_ONCE)

        async def buy(customer: int) -> None:
            async with places:
                given = {"customer": customer, "product": 1 + customer % 2}
                await runtime.execute(built, given, run_id=f"order-{customer}")
                print(customer, flush=True)

        async with asyncio.TaskGroup() as group:
            for customer in range(orders):
                group.create_task(buy(customer))


def serve(url: str) -> None:
    db = shop_at(url)
    app = Nexus(api_port=0, mcp_port=None, dataflow_integration=db)
    app.register("checkout", checkout(db))
    app.start()


if __name__ == "__main__":
    if sys.argv[2] == "serve":
        serve(sys.argv[1])
    else:
        asyncio.run(buy_all(sys.argv[1], int(sys.argv[2])))
