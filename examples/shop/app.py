"""The shop: three models, and one application that serves them on every channel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dataflow import DataFlow, ForeignKey
from nexus import Nexus

HERE = Path(__file__).resolve().parent

db = DataFlow(os.environ.get("DATABASE_URL", f"sqlite:///{HERE / 'shop.db'}"))


@db.model
class Customer:
    """Somebody who buys."""

    email: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
    name: str
    tier: Literal["standard", "premium", "vip"] = "standard"

    __indexes__ = [{"fields": ["email"], "unique": True}]


@db.model
class Product:
    """Something that is sold."""

    sku: Annotated[str, Meta(max_length=20)]
    name: str
    category: str
    price: Annotated[float, Meta(ge=0)]
    stock: int = 0
    active: bool = True

    __indexes__ = [{"fields": ["sku"], "unique": True}, {"fields": ["category", "price"]}]


@db.model
class Order:
    """Something that was bought."""

    customer_id: Annotated[int, ForeignKey("Customer.id")]
    product_id: Annotated[int, ForeignKey("Product.id")]
    quantity: Annotated[int, Meta(ge=1)]
    total: float
    status: Literal["pending", "completed", "cancelled"] = "pending"

    __indexes__ = [{"fields": ["customer_id"]}, {"fields": ["status", "created_at"]}]


app = Nexus(
    title="The shop",
    api_port=int(os.environ.get("PORT", "8000")),
    mcp_port=int(os.environ.get("MCP_PORT", "3001")),
    dataflow_integration=db,
)

if __name__ == "__main__":
    app.start()
