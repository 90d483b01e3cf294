"""What isolating one test costs, held to seconds: 2 ms on SQLite, 15 ms on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from benchmarks import harness
from dataflow import DataFlow
from dataflow.testing import Template, isolated

Record = Callable[[harness.Line], None]
BUDGETS = {"sqlite": 0.002, "postgres": 0.015}  # seconds a test
MODELS = 10


@contextmanager
def program(url: str) -> Iterator[DataFlow]:
    """Yield a database with ten models and a few records of each."""
    with DataFlow(url) as db:
        for number in range(MODELS):
            fields = {"sku": str, "name": str, "price": float, "stock": int}
            db.model(type(f"Thing{number}", (), {"__annotations__": fields}))
            rows = [{"sku": f"S{n}", "name": "Thing", "price": 1.5, "stock": n} for n in range(5)]
            db.express_sync.bulk_create(f"Thing{number}", rows)
        yield db


@pytest.mark.parametrize("database", [*BUDGETS])
@pytest.mark.parametrize("mode", ["rollback", "template"])
def test_isolating_a_test(
    database: str, mode: str, request: pytest.FixtureRequest, tmp_path: Path, record: Record
) -> None:
    """A test that stores one record, less what storing it takes; the limit is a statement of the bare driver."""
    url = f"sqlite:///{tmp_path}/bench.db" if database == "sqlite" else request.getfixturevalue("postgres_url")
    budget = BUDGETS[database]
    with program(url) as db:
        template = Template(db)

        def store() -> None:
            db.express_sync.create("Thing0", {"sku": "new", "name": "Thing", "price": 2.0, "stock": 1})

        def whole() -> None:
            if mode == "rollback":
                with isolated(db):
                    store()
            else:
                store()
                template.restore()

        line = harness.compare(f"isolating a test by {mode}, {database}", whole, bare(url), reach=budget, calls=20)
        record(harness.held_to(line, reach=budget, aim=budget / 2))
        template.drop()


def bare(url: str) -> Callable[[], None]:
    """Return what asks the server for nothing; for a file, what does nothing."""
    if url.startswith("sqlite"):
        return lambda: None
    connection = psycopg2.connect(url)
    connection.autocommit = True
    cursor = connection.cursor()
    return lambda: cursor.execute("SELECT 1")
