"""Types of the faces of a database, as a program sees them. Checked by mypy, not run."""

from __future__ import annotations

from typing import Any, assert_type

from dataflow import DataFlow
from dataflow.operations import values as ops

db = DataFlow("sqlite:///:memory:", pool_size=5)


@db.model
class Product:
    """A model stays the class that it was."""

    name: str
    price: float = 0.0


assert_type(Product().price, float)
assert_type(db.express_sync.create("Product", {"name": "Lamp"}), dict[str, Any])
assert_type(db.express_sync.read("Product", 1), dict[str, Any] | None)
assert_type(db.express_sync.list("Product", {"price": {"$gt": 1}}), list[dict[str, Any]])
assert_type(db.express_sync.count("Product"), int)
assert_type(db.express_sync.delete("Product", 1), bool)
ops.Count(product="Product")  # type: ignore[call-arg]  # its name is model


async def under_asyncio() -> None:
    """The other face gives the same types."""
    assert_type(await db.express.create("Product", {"name": "Lamp"}), dict[str, Any])
    assert_type(await db.express.read("Product", 1), dict[str, Any] | None)
    assert_type(await db.express.count("Product"), int)
