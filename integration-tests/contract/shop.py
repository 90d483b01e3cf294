"""What the contract is tried on: two models, a workflow and the application, in words that every release knows.

Run as a program it serves: DATABASE_URL=... SHOP_PORTS="8000 3001" python -m contract.shop
SHOP_MODELS adds as many more models; SHOP_DISCOVERS=1 looks for workflows in the working directory.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from msgspec import Meta

from dataflow import DataFlow, ForeignKey
from kailash import WorkflowBuilder
from nexus import Nexus


def declare(db: DataFlow) -> DataFlow:
    """Declare the models; return the database."""

    class Customer:
        email: str
        tier: Literal["standard", "vip"] = "standard"
        __indexes__ = [{"fields": ["email"], "unique": True}]

    class Product:
        sku: Annotated[str, Meta(max_length=20)]
        name: str
        price: Annotated[float, Meta(ge=0)]
        stock: int = 0
        active: bool = True
        maker: Annotated[int, ForeignKey("Customer.id")] | None = None
        __indexes__ = [{"fields": ["sku"], "unique": True}]

    db.model(Customer)
    db.model(Product)
    for number in range(int(os.environ.get("SHOP_MODELS", "0"))):
        db.model(type(f"Thing{number}", (), {"__annotations__": {"name": str, "size": float}}))
    return db


def sell() -> WorkflowBuilder:
    """Return the workflow that takes one of a product from the stock, in a transaction."""
    workflow = WorkflowBuilder("sell")
    workflow.add_node("TransactionStartNode", "txn", {})
    workflow.add_node("ProductReadNode", "product", {"id": "{{id}}"})
    workflow.add_node("ProductUpdateNode", "taken", {"id": "$product.id", "stock": {"$dec": "{{many}}"}})
    workflow.add_node("TransactionCommitNode", "commit", {"transaction_id": "$txn.id"})
    return workflow


def serve(db: DataFlow, **more: Any) -> Nexus:
    """Return the application over *db*."""
    app = Nexus(title="Contract", dataflow_integration=db, **more)
    app.register("sell", sell())
    return app


if __name__ == "__main__":
    ports = [int(word) for word in os.environ["SHOP_PORTS"].split()]
    discovers = bool(os.environ.get("SHOP_DISCOVERS"))
    serve(declare(DataFlow()), api_port=ports[0], mcp_port=ports[1], auto_discovery=discovers).start()
else:
    db = declare(DataFlow())
    app = serve(db)
