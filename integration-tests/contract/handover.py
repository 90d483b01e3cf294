"""Steps of a rolling deployment: this release, with the models of before (1) or after (2), on a shared database.

``python handover.py`` reads lines ``[URL, MODELS, NAME]``. For each it writes a product of that NAME, reads what the
others wrote, changes them, and answers the names of all products; or what went wrong, as a text. What a step opens it
closes: each begins as a new process does, without its start. It needs dataflow alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from typing import Any

from dataflow import DataFlow
from kailash.errors import KailashError


def declared(url: str, models: str) -> DataFlow:
    """Return the database with the models of before, or of after: two more fields, and one more table."""
    db = DataFlow(url)
    before: dict[str, Any] = {"sku": str, "name": str, "price": float}
    after: dict[str, Any] = {**before, "colour": str | None, "stock": int}
    body: dict[str, Any] = {"__indexes__": [{"fields": ["sku"], "unique": True}]}
    if models == "1":
        db.model(type("Product", (), {**body, "__annotations__": before}))
    else:
        db.model(type("Product", (), {**body, "__annotations__": after, "colour": None, "stock": 7}))
        db.model(type("Maker", (), {"__annotations__": {"name": str}}))
    return db


async def step(url: str, models: str, name: str) -> list[str]:
    """Use every kind of statement on what is there; return the names of all products."""
    db = declared(url, models)
    express = db.express
    try:
        found = await express.list("Product", order_by=["id"])
        given = {"sku": name, "name": name, "price": 1.0, **({"colour": f"of {name}"} if models == "2" else {})}
        made = await express.create("Product", given)
        await express.upsert("Product", {**given, "price": 2.0}, ["sku"])
        assert (await express.read("Product", made["id"]))["price"] == 2.0  # type: ignore[index]
        for row in found:
            await express.update("Product", row["id"], {"price": {"$inc": 1}})
        spare = await express.bulk_create("Product", [{**given, "sku": f"{name}-{number}"} for number in range(3)])
        await express.bulk_delete("Product", [row["id"] for row in spare])
        if models == "2":
            assert all(row["stock"] == 7 for row in found), found
            assert {row["colour"] for row in found} <= {None, f"of {found[-1]['name']}", "of new", "of new again"}
        assert await express.count("Product") == len(found) + 1
        return [row["name"] for row in await express.list("Product", order_by=["id"])]
    finally:
        await db.close_async()


def answer(url: str, models: str, name: str) -> list[str] | str:
    """Return what a step found, or what went wrong."""
    try:
        return asyncio.run(step(url, models, name))
    except (AssertionError, KailashError):
        return traceback.format_exc()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), flush=True)
