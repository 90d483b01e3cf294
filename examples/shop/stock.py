"""A few hundred products, customers and orders that look real, and are the same each time."""

from __future__ import annotations

import random
from typing import Any

from dataflow import DataFlow

GOODS = {
    "phones": (["Pixel", "Galaxy", "iPhone", "Xperia", "Nord"], ["", " Pro", " Mini", " Max", " Lite"], (199, 1299)),
    "audio": (["Studio", "Echo", "Nova", "Pulse"], [" Headphones", " Earbuds", " Speaker", " Soundbar"], (29, 499)),
    "kitchen": (["Copper", "Oak", "Steel", "Stone"], [" Pan", " Kettle", " Knife", " Board", " Mill"], (12, 189)),
    "books": (
        ["A Short History of", "The Joy of", "Learning", "Beyond"],
        [" Bread", " Stars", " Rust", " Tea"],
        (8, 45),
    ),
    "garden": (["Green", "Sunny", "Wild", "Quiet"], [" Spade", " Lamp", " Bench", " Hose", " Planter"], (9, 349)),
    "sport": (["Trail", "Summit", "River", "Wind"], [" Shoes", " Jacket", " Tent", " Bottle", " Gloves"], (11, 399)),
}
FIRST = (
    "Ada Alan Amira Ben Chen Chiara Dmitri Elif Emma Femi Grace Hana Ivan Jun Kofi Lena Mateo Nia Omar Priya".split()
)
LAST = "Okafor Lindqvist Moreau Tanaka Novak Silva Haddad Kowalski Nguyen Rossi Weber Demir Larsen Costa Ito".split()


def load(db: DataFlow) -> dict[str, int]:
    """Store the shop's records in an empty database; return how many of each."""
    draw = random.Random(2026)
    customers = db.express_sync.bulk_create("Customer", _customers(draw))
    products = db.express_sync.bulk_create("Product", _products(draw))
    orders = db.express_sync.bulk_create("Order", _orders(draw, customers, products))
    return {"customers": len(customers), "products": len(products), "orders": len(orders)}


def _customers(draw: random.Random) -> list[dict[str, Any]]:
    tiers = ["standard"] * 8 + ["premium"] * 3 + ["vip"]
    people = [(first, last) for first in FIRST for last in LAST]
    draw.shuffle(people)
    return [
        {"email": f"{first}.{last}@example.com".lower(), "name": f"{first} {last}", "tier": draw.choice(tiers)}
        for first, last in people[:150]
    ]


def _products(draw: random.Random) -> list[dict[str, Any]]:
    products: list[dict[str, Any]] = []
    for category, (makes, kinds, (low, high)) in GOODS.items():
        for make in makes:
            for kind in kinds:
                for size in ("S", "M", "L"):
                    products.append(
                        {
                            "sku": f"{category[:3].upper()}-{len(products) + 1:04}",
                            "name": f"{make}{kind} {size}",
                            "category": category,
                            "price": draw.randint(low, high) + 0.99,
                            "stock": draw.choice([0, 3, 8, 25, 60, 140]),
                            "active": draw.random() > 0.08,
                        }
                    )
    return products


def _orders(
    draw: random.Random, customers: list[dict[str, Any]], products: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    orders = []
    for _ in range(400):
        product, quantity = draw.choice(products), draw.choice([1, 1, 1, 2, 3])
        orders.append(
            {
                "customer_id": draw.choice(customers)["id"],
                "product_id": product["id"],
                "quantity": quantity,
                "total": round(product["price"] * quantity, 2),
                "status": draw.choice(["pending", "completed", "completed", "completed", "cancelled"]),
            }
        )
    return orders
