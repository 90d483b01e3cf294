"""Many upserts of one record at once, on SQLite: one stores it, the others change it, none fails."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from dataflow import DataFlow

AT_ONCE, RECORDS = 4, 40


def shop(folder: Path) -> DataFlow:
    db = DataFlow(f"sqlite:///{folder / 'shop.db'}")

    @db.model
    class Product:
        sku: str
        stock: int = 0

        __indexes__ = [{"fields": ["sku"], "unique": True}]

    return db


def asked(number: int) -> dict[str, Any]:
    where = {"sku": f"A-{number}"}
    return {"where": where, "create": {"stock": 1}, "update": {"stock": {"$inc": 1}}}


def check(db: DataFlow) -> None:
    assert [each["stock"] for each in db.express_sync.list("Product")] == [AT_ONCE] * RECORDS


def test_from_threads(tmp_path: Path) -> None:
    with shop(tmp_path) as db:
        db.prepare()
        together = threading.Barrier(AT_ONCE)

        def buy() -> None:
            together.wait()
            for number in range(RECORDS):
                db.express_sync.upsert_advanced("Product", **asked(number))

        threads = [threading.Thread(target=buy) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        check(db)


async def test_from_tasks_beside_a_thread(tmp_path: Path) -> None:
    async with shop(tmp_path) as db:
        await db.create_tables_async()

        async def buy() -> None:
            for number in range(RECORDS):
                await db.express.upsert_advanced("Product", **asked(number))

        def buy_blocking() -> None:
            for number in range(RECORDS):
                db.express_sync.upsert_advanced("Product", **asked(number))

        await asyncio.gather(asyncio.to_thread(buy_blocking), *[buy() for _ in range(AT_ONCE - 1)])

        check(db)
