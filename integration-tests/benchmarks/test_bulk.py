"""The four bulk operations on 10,000 rows, over COPY, unnest and executemany by hand. Rows a second: more is better."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from benchmarks import harness
from benchmarks.limits import asyncpg_pool, sqlite_raw, tables
from dataflow import DataFlow
from dataflow.operations.spellings import Asked

Shop = tuple[DataFlow, str]
Record = Callable[[harness.Line], None]
ROUNDS = 22  # the first one warms up
OPERATIONS = ("bulk_create", "bulk_upsert", "bulk_update", "bulk_delete")


def asks(db: DataFlow, operation: str) -> Callable[[Any], Asked]:
    """Return what reads the rows of a bulk, as the node and the channels do."""
    capability = next(each for each in db.capabilities() if each.action == operation)
    parameter = "ids" if operation == "bulk_delete" else "data"
    extra = {"conflict_on": ["sku"]} if operation == "bulk_upsert" else {}
    return lambda rows: capability.inputs.accept({parameter: rows, **extra})


def inputs(operation: str) -> Callable[[], Any]:
    """Return what makes the rows of the next call, outside of the measurement."""
    fresh = itertools.count(100_000, tables.ROWS)
    if operation == "bulk_create":
        return lambda: tables.products(first=next(fresh))
    if operation == "bulk_upsert":
        return lambda: tables.products(tables.ROWS // 2) + tables.products(tables.ROWS // 2, first=next(fresh))
    if operation == "bulk_update":
        return lambda: [{"id": id, "price": id / 10, "stock": id % 99} for id in range(1, tables.ROWS + 1)]
    return lambda: list(range(1, tables.ROWS + 1))


def measured(call: Callable[[Any], Any], make: Callable[[], Any]) -> harness.Sample:
    rows = make()
    return harness._timed(lambda: call(rows), 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_bulk_postgres(operation: str, postgres_shop: Shop, loop: asyncio.Runner, record: Record) -> None:
    db, url = postgres_shop
    ask, make, limit = asks(db, operation), inputs(operation), getattr(asyncpg_pool, operation)

    async def measure() -> harness.Line:
        samples = []
        async with asyncpg.create_pool(url) as pool:
            for _ in range(ROUNDS):
                await refill(pool, operation)
                theirs = await _sample(lambda rows: limit(pool, rows), make())
                await refill(pool, operation)
                mine = await _sample(lambda rows: db.arun(ask(rows).operation), make())
                samples.append((theirs, mine))
        await db.close_async()
        return harness._line(f"{operation} of 10,000, PostgreSQL (rows/s)", samples[1:], 0.6, 0.75, True)

    record(loop.run(measure()))


async def refill(pool: asyncpg.Pool, operation: str) -> None:
    """Put the table back to the 10,000 rows where the operation consumes them."""
    if operation == "bulk_delete":
        await pool.execute("TRUNCATE products RESTART IDENTITY")
        await asyncpg_pool.bulk_create(pool, tables.products())
    await pool.execute("VACUUM ANALYZE products")


async def _sample(call: Callable[[Any], Any], rows: Any) -> harness.Sample:
    return await harness._atimed(lambda: call(rows), 1, 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_bulk_sqlite(operation: str, sqlite_shop: Shop, record: Record) -> None:
    db, path = sqlite_shop
    connection = sqlite_raw.connect(path)
    ask, make, limit = asks(db, operation), inputs(operation), getattr(sqlite_raw, operation)
    samples = []
    for _ in range(ROUNDS):
        refill_sqlite(connection, operation)
        theirs = measured(lambda rows: limit(connection, rows), make)
        refill_sqlite(connection, operation)
        mine = measured(lambda rows: db.run(ask(rows).operation), make)
        samples.append((theirs, mine))
    record(harness._line(f"{operation} of 10,000, SQLite (rows/s)", samples[1:], 0.6, 0.75, True))
    connection.close()


def refill_sqlite(connection: Any, operation: str) -> None:
    if operation == "bulk_delete":
        connection.execute("DELETE FROM products")
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'products'")
        sqlite_raw.bulk_create(connection, tables.products())
