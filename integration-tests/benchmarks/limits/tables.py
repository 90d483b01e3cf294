"""The table that limits and our side share, and its 10,000 rows."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

ROWS: Final = 10_000
CATEGORIES: Final = ("audio", "books", "garden", "kitchen", "phones", "sport")
COLUMNS: Final = ("sku", "name", "category", "price", "stock", "active")
START: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def product(number: int) -> dict[str, Any]:
    """Return the fields of one product, as a caller gives them."""
    return {
        "sku": f"SKU-{number:07}",
        "name": f"Product number {number}",
        "category": CATEGORIES[number % len(CATEGORIES)],
        "price": 5 + (number * 37 % 1_000) / 10,
        "stock": number % 150,
        "active": number % 12 != 0,
    }


def products(count: int = ROWS, first: int = 0) -> list[dict[str, Any]]:
    """Return *count* products."""
    return [product(number) for number in range(first, first + count)]
