"""The operations by hand on asyncpg: one pool with its defaults, one statement each, records as dicts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import asyncpg

READ = "SELECT * FROM products WHERE id = $1"
CREATE = (
    "INSERT INTO products (sku, name, category, price, stock, active, created_at, updated_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING *"
)
UPDATE = "UPDATE products SET price = $2, updated_at = $3 WHERE id = $1 RETURNING *"
DELETE = "DELETE FROM products WHERE id = $1 RETURNING id"
LIST = "SELECT * FROM products WHERE category = $1 ORDER BY id LIMIT $2"
COUNT = "SELECT count(*) FROM products WHERE category = $1"
UPSERT = (
    "INSERT INTO products (sku, name, category, price, stock, active, created_at, updated_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (sku) DO UPDATE"
    " SET name = $2, category = $3, price = $4, stock = $5, active = $6, updated_at = $7"
    " RETURNING *, xmax = 0 AS created"
)
Row = dict[str, Any]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def fields(product: Row) -> tuple[Any, ...]:
    return (
        product["sku"], product["name"], product["category"], product["price"], product["stock"], product["active"]
    )  # fmt: skip


async def read(pool: asyncpg.Pool, id: int) -> Row | None:
    row = await pool.fetchrow(READ, id)
    return None if row is None else dict(row)


async def create(pool: asyncpg.Pool, product: Row) -> Row:
    return dict(await pool.fetchrow(CREATE, *fields(product), now()))


async def update(pool: asyncpg.Pool, id: int, price: float) -> Row:
    return dict(await pool.fetchrow(UPDATE, id, price, now()))


async def delete(pool: asyncpg.Pool, id: int) -> bool:
    return await pool.fetchrow(DELETE, id) is not None


async def list_of(pool: asyncpg.Pool, category: str, limit: int) -> list[Row]:
    return [dict(row) for row in await pool.fetch(LIST, category, limit)]


async def count(pool: asyncpg.Pool, category: str) -> int:
    number: int = await pool.fetchval(COUNT, category)
    return number


async def upsert(pool: asyncpg.Pool, product: Row) -> Row:
    return dict(await pool.fetchrow(UPSERT, *fields(product), now()))


async def bulk_create(pool: asyncpg.Pool, rows: list[Row]) -> int:
    """COPY straight into the table."""
    stamp = now()
    records = [(*fields(row), stamp, stamp) for row in rows]
    columns = ["sku", "name", "category", "price", "stock", "active", "created_at", "updated_at"]
    async with pool.acquire() as connection:
        await connection.copy_records_to_table("products", records=records, columns=columns)
    return len(records)


async def bulk_upsert(pool: asyncpg.Pool, rows: list[Row]) -> tuple[int, int]:
    """COPY to a temporary table, then one INSERT ... ON CONFLICT; (stored, new)."""
    stamp = now()
    records = [(*fields(row), stamp, stamp) for row in rows]
    columns = ["sku", "name", "category", "price", "stock", "active", "created_at", "updated_at"]
    names = ", ".join(columns)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            f"CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {names} FROM products WITH NO DATA"
        )
        await connection.copy_records_to_table("incoming", records=records, columns=columns)
        changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in ("sku", "created_at"))
        row = await connection.fetchrow(
            f"WITH stored AS (INSERT INTO products ({names}) SELECT {names} FROM incoming ON CONFLICT (sku)"
            f" DO UPDATE SET {changed} RETURNING xmax = 0 AS new)"
            " SELECT count(*), count(*) FILTER (WHERE new) FROM stored"
        )
    return row[0], row[1]


async def bulk_update(pool: asyncpg.Pool, rows: list[Row]) -> int:
    """An unnest join on the id."""
    done = await pool.execute(
        "UPDATE products SET price = u.price, stock = u.stock, updated_at = $4"
        " FROM unnest($1::bigint[], $2::float8[], $3::bigint[]) AS u (id, price, stock) WHERE products.id = u.id",
        [row["id"] for row in rows], [row["price"] for row in rows], [row["stock"] for row in rows], now(),
    )  # fmt: skip
    return int(done.split()[-1])


async def bulk_delete(pool: asyncpg.Pool, ids: list[int]) -> int:
    done = await pool.execute("DELETE FROM products WHERE id = ANY($1::bigint[])", ids)
    return int(done.split()[-1])
