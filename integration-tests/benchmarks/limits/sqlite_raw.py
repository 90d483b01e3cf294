"""The operations by hand on sqlite3: one connection in WAL mode and autocommit, records as dicts."""

from __future__ import annotations

import datetime as dt
import sqlite3
from typing import Any

READ = "SELECT * FROM products WHERE id = ?"
CREATE = (
    "INSERT INTO products (sku, name, category, price, stock, active, created_at, updated_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *"
)
UPDATE = "UPDATE products SET price = ?, updated_at = ? WHERE id = ? RETURNING *"
DELETE = "DELETE FROM products WHERE id = ? RETURNING id"
LIST = "SELECT * FROM products WHERE category = ? ORDER BY id LIMIT ?"
COUNT = "SELECT count(*) FROM products WHERE category = ?"
UPSERT = (
    CREATE.removesuffix("RETURNING *")
    + "ON CONFLICT (sku) DO UPDATE SET name = excluded.name, category = excluded.category, price = excluded.price,"
    " stock = excluded.stock, active = excluded.active, updated_at = excluded.updated_at RETURNING *"
)
BULK_UPSERT = UPSERT.removesuffix(" RETURNING *")
Row = dict[str, Any]
NAMES = ("id", "sku", "name", "category", "price", "stock", "active", "created_at", "updated_at")


def connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _rows(connection: sqlite3.Connection, statement: str, arguments: tuple[Any, ...]) -> list[Row]:
    return [dict(zip(NAMES, row, strict=False)) for row in connection.execute(statement, arguments).fetchall()]


def _fields(product: Row) -> tuple[Any, ...]:
    now = dt.datetime.now(dt.UTC).isoformat()
    return (*[product[name] for name in ("sku", "name", "category", "price", "stock", "active")], now, now)


def read(connection: sqlite3.Connection, id: int) -> Row | None:
    rows = _rows(connection, READ, (id,))
    return rows[0] if rows else None


def create(connection: sqlite3.Connection, product: Row) -> Row:
    return _rows(connection, CREATE, _fields(product))[0]


def update(connection: sqlite3.Connection, id: int, price: float) -> Row:
    return _rows(connection, UPDATE, (price, dt.datetime.now(dt.UTC).isoformat(), id))[0]


def delete(connection: sqlite3.Connection, id: int) -> bool:
    return bool(connection.execute(DELETE, (id,)).fetchall())


def list_of(connection: sqlite3.Connection, category: str, limit: int) -> list[Row]:
    return _rows(connection, LIST, (category, limit))


def count(connection: sqlite3.Connection, category: str) -> int:
    number: int = connection.execute(COUNT, (category,)).fetchone()[0]
    return number


def upsert(connection: sqlite3.Connection, product: Row) -> Row:
    return _rows(connection, UPSERT, _fields(product))[0]


def bulk_create(connection: sqlite3.Connection, rows: list[Row]) -> int:
    return _many(connection, CREATE.removesuffix(" RETURNING *"), [_fields(row) for row in rows])


def bulk_upsert(connection: sqlite3.Connection, rows: list[Row]) -> int:
    return _many(connection, BULK_UPSERT, [_fields(row) for row in rows])


def bulk_update(connection: sqlite3.Connection, rows: list[Row]) -> int:
    now = dt.datetime.now(dt.UTC).isoformat()
    statement = "UPDATE products SET price = ?, stock = ?, updated_at = ? WHERE id = ?"
    return _many(connection, statement, [(row["price"], row["stock"], now, row["id"]) for row in rows])


def bulk_delete(connection: sqlite3.Connection, ids: list[int]) -> int:
    return _many(connection, "DELETE FROM products WHERE id = ?", [(id,) for id in ids])


def _many(connection: sqlite3.Connection, statement: str, records: list[tuple[Any, ...]]) -> int:
    connection.execute("BEGIN IMMEDIATE")
    count = connection.executemany(statement, records).rowcount
    connection.execute("COMMIT")
    return count
