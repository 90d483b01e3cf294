"""What the benchmarks' database holds; `benchmarks.limits.tables` has its rows, and ``limits`` the same by hand."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta


class Product:
    """What is sold."""

    sku: Annotated[str, Meta(max_length=20)]
    name: str
    category: str
    price: Annotated[float, Meta(ge=0)]
    stock: int = 0
    active: bool = True
    __indexes__ = [{"fields": ["sku"], "unique": True}, {"fields": ["category", "id"]}]
