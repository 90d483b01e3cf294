"""What a large table costs: a keyset page in its middle, and the memory of a whole export."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import psycopg2

from benchmarks import harness, programs
from dataflow import DataFlow
from dataflow.query import ordering

Record = Callable[[harness.Line], None]


def fill(url: str, count: int) -> None:
    """Make the table hold *count* rows."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products RESTART IDENTITY")
        cursor.execute(
            "INSERT INTO products (sku, name, category, price, stock, active, created_at, updated_at)"
            " SELECT 'SKU-' || n, 'Product ' || n, 'books', n %% 1000, n %% 150, true, now(), now()"
            " FROM generate_series(1, %s) AS n",
            (count,),
        )
        cursor.execute("VACUUM ANALYZE products")
    connection.close()


def test_a_keyset_page_in_the_middle(postgres_shop: tuple[DataFlow, str], record: Record) -> None:
    """The limit is the same page of 10,000 rows."""
    db, url = postgres_shop
    capability = next(each for each in db.capabilities() if each.name == "products.list")

    def page(cursor: str | None = None) -> Any:
        asked = {"limit": 20, "filter": {"category": "books"}, **({"cursor": cursor} if cursor else {})}
        return db.run(capability.inputs.accept(asked).operation)

    def measured(count: int) -> harness.Sample:
        fill(url, count)
        middle = _cursor_at(db, count // 2)
        harness._timed(lambda: page(middle), 50)
        return harness._timed(lambda: page(middle), 300)

    small, large = measured(10_000), measured(1_000_000)
    record(harness._line("keyset page in the middle of 1,000,000 rows", [(small, large)], 1.1, None, False))


def _cursor_at(db: DataFlow, id: int) -> str:
    return ordering.encode_cursor(ordering.total(()), {"id": id})


def test_an_export_of_a_million_rows(postgres_shop: tuple[DataFlow, str], record: Record) -> None:
    """Extra memory of the whole export over that of 10,000 rows; the limit is 8 MB, the aim 4 MB."""
    _, url = postgres_shop
    words = [
        sys.executable,
        "-m",
        "nexus",
        "--app",
        "benchmarks.ours_app:app",
        "products",
        "list",
        "--all",
        "--output",
        "ndjson",
    ]
    fill(url, 10_000)
    small = programs.peak(words, url)
    fill(url, 1_000_000)
    extra = max(programs.peak(words, url) - small, 1)
    limit = 8 * 2**20
    record(harness.Line("export of 1,000,000 rows, extra bytes", extra, limit, extra, limit, 1.0, 0.5))
