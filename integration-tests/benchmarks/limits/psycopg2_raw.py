"""The operations by hand on psycopg2: one connection in autocommit, records as dicts."""

from __future__ import annotations

import datetime as dt
from typing import Any

READ = "SELECT * FROM products WHERE id = %s"
CREATE = (
    "INSERT INTO products (sku, name, category, price, stock, active, created_at, updated_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING *"
)
UPDATE = "UPDATE products SET price = %s, updated_at = %s WHERE id = %s RETURNING *"
DELETE = "DELETE FROM products WHERE id = %s RETURNING id"
LIST = "SELECT * FROM products WHERE category = %s ORDER BY id LIMIT %s"
COUNT = "SELECT count(*) FROM products WHERE category = %s"
UPSERT = (
    CREATE.removesuffix("RETURNING *")
    + "ON CONFLICT (sku) DO UPDATE SET name = excluded.name, category = excluded.category, price = excluded.price,"
    " stock = excluded.stock, active = excluded.active, updated_at = excluded.updated_at"
    " RETURNING *, xmax = 0 AS created"
)
Row = dict[str, Any]


def _rows(connection: Any, statement: str, arguments: tuple[Any, ...]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _fields(product: Row) -> tuple[Any, ...]:
    now = dt.datetime.now(dt.UTC)
    return (*[product[name] for name in ("sku", "name", "category", "price", "stock", "active")], now, now)


def read(connection: Any, id: int) -> Row | None:
    rows = _rows(connection, READ, (id,))
    return rows[0] if rows else None


def create(connection: Any, product: Row) -> Row:
    return _rows(connection, CREATE, _fields(product))[0]


def update(connection: Any, id: int, price: float) -> Row:
    return _rows(connection, UPDATE, (price, dt.datetime.now(dt.UTC), id))[0]


def delete(connection: Any, id: int) -> bool:
    return bool(_rows(connection, DELETE, (id,)))


def list_of(connection: Any, category: str, limit: int) -> list[Row]:
    return _rows(connection, LIST, (category, limit))


def count(connection: Any, category: str) -> int:
    number: int = _rows(connection, COUNT, (category,))[0]["count"]
    return number


def upsert(connection: Any, product: Row) -> Row:
    return _rows(connection, UPSERT, _fields(product))[0]
