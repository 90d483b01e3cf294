"""The operations, over the raw driver."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg2
import pytest

from benchmarks import harness
from benchmarks.limits import asyncpg_pool, psycopg2_raw, sqlite_raw, tables
from dataflow import DataFlow

Shop = tuple[DataFlow, str]
Record = Callable[[harness.Line], None]
OPERATIONS = ("read", "create", "update", "delete", "list", "count", "upsert")


class Calls:
    """Seven calls, each to be made again and again: *run* is ours, *limit* the module of the limit."""

    def __init__(self, express: Any, limit: Any, connection: Any) -> None:
        self._express, self._limit, self._connection = express, limit, connection
        self._number = itertools.count(1_000_000)
        self._removed, self._limit_removed = itertools.count(1), itertools.count(5_001)

    def of(self, operation: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """Return (ours, the limit's)."""
        express, limit, connection = self._express, self._limit, self._connection

        def new() -> dict[str, Any]:
            return tables.product(next(self._number))

        pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
            "read": (lambda: express.read("Product", 4_321), lambda: limit.read(connection, 4_321)),
            "create": (lambda: express.create("Product", new()), lambda: limit.create(connection, new())),
            "update": (
                lambda: express.update("Product", 4_321, {"price": 7.5}),
                lambda: limit.update(connection, 4_321, 7.5),
            ),
            "delete": (
                lambda: express.delete("Product", next(self._removed)),
                lambda: limit.delete(connection, next(self._limit_removed)),
            ),
            "list": (
                lambda: express.list("Product", {"category": "books"}, limit=20),
                lambda: limit.list_of(connection, "books", 20),
            ),
            "count": (
                lambda: express.count("Product", {"category": "books"}),
                lambda: limit.count(connection, "books"),
            ),
            "upsert": (
                lambda: express.upsert("Product", tables.product(4_000), ["sku"]),
                lambda: limit.upsert(connection, tables.product(4_000)),
            ),
        }
        return pairs[operation]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_asyncio_postgres(operation: str, postgres_shop: Shop, loop: asyncio.Runner, record: Record) -> None:
    db, url = postgres_shop

    async def measure() -> list[harness.Line]:
        async with asyncpg.create_pool(url) as pool:
            ours, limit = Calls(db.express, asyncpg_pool, pool).of(operation)
            what = f"{operation}, asyncio, PostgreSQL"
            aim = 1.05 if operation == "list" else 0.75
            one = await harness.acompare(what, ours, limit, reach=1.1, aim=aim)
            many = await harness.acompare(
                f"{what}, 32 tasks (calls/s)", ours, limit, reach=1.0, aim=1.3, tasks=32, calls=640, rounds=9
            )
            await db.close_async()
            return [one, many]

    for line in loop.run(measure()):
        record(line)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_blocking_postgres(operation: str, postgres_shop: Shop, record: Record) -> None:
    db, url = postgres_shop
    connection = psycopg2.connect(url)
    connection.autocommit = True
    ours, limit = Calls(db.express_sync, psycopg2_raw, connection).of(operation)
    record(harness.compare(f"{operation}, blocking, PostgreSQL", ours, limit, reach=1.5, aim=1.2))
    connection.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_blocking_sqlite(operation: str, sqlite_shop: Shop, record: Record) -> None:
    db, path = sqlite_shop
    connection = sqlite_raw.connect(path)
    ours, limit = Calls(db.express_sync, sqlite_raw, connection).of(operation)
    reach, aim = (3.0, 2.0) if operation in ("read", "list", "count") else (2.5, 1.8)
    record(harness.compare(f"{operation}, blocking, SQLite", ours, limit, reach=reach, aim=aim))
    connection.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_asyncio_sqlite(operation: str, sqlite_shop: Shop, loop: asyncio.Runner, record: Record) -> None:
    db, path = sqlite_shop
    connection = sqlite_raw.connect(path)
    ours, blocking = Calls(db.express, sqlite_raw, connection).of(operation)

    async def limit() -> Any:
        return blocking()

    async def measure() -> harness.Line:
        reach, aim = (3.5, 2.0) if operation in ("read", "list", "count") else (4.0, 3.0)
        line = await harness.acompare(f"{operation}, asyncio, SQLite", ours, limit, reach=reach, aim=aim)
        await db.close_async()
        return line

    record(loop.run(measure()))
    connection.close()
