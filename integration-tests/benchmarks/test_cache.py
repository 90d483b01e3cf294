"""What an answer that is kept costs: the whole of it beside a look-up in a dict and a copy.

Rule: on a SQLite file each answer asks the file whether others have written, and on PostgreSQL a thread listens; both
are part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from benchmarks import harness
from dataflow import DataFlow
from dataflow.cache.copying import copier
from dataflow.operations import values as ops

OVER = 5e-6  # seconds over a look-up and a copy
ROUNDS, CALLS = 60, 400


@pytest.fixture(params=["memory", "file", "postgresql"])
def db(request: pytest.FixtureRequest) -> Iterator[DataFlow]:
    fixture = {"file": "sqlite_url", "postgresql": "postgres_url"}.get(request.param)
    url = "sqlite:///:memory:" if fixture is None else request.getfixturevalue(fixture)
    with DataFlow(url, cache_enabled=True) as db:

        @db.model
        class Product:
            name: str
            price: float = 1.0

        db.express_sync.create("Product", {"name": "Lamp"})
        db.catch_up()
        yield db


def test_a_hit(db: DataFlow, request: pytest.FixtureRequest, record: Callable[[harness.Line], None]) -> None:
    operation = ops.Read("Product", 1)
    answers, copy = db.models["Product"].cache, copier(db.spec("Product"))
    kept = {operation: db.express_sync.read("Product", 1)}

    def hit() -> object:
        return answers.read(operation, None, lambda: pytest.fail("it is kept"))

    line = harness.compare(
        f"hit, {request.node.callspec.params['db']}",
        hit,
        lambda: copy(kept[operation]),
        reach=100.0,
        rounds=ROUNDS,
        calls=CALLS,
        paired=True,
    )
    record(harness.added(line, reach=OVER, aim=OVER / 2))
