"""What is measured: how often, how long, how many; and that it says nothing of values."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import DataFlowError, RecordNotFoundError
from kailash.errors import ConfigurationError


def _database(url: str, **options: Any) -> DataFlow:
    db = DataFlow(url, **options)

    @db.model
    class Product:
        name: str
        price: float = 0.0

    return db


@pytest.fixture
def db(sqlite_url: str) -> Iterator[DataFlow]:
    with _database(sqlite_url, monitoring=True, cache_enabled=True) as db:
        yield db


def _value(text: str, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    assert found, f"{line} is not in\n{text}"
    return float(found.group(1))


def test_operations_are_counted_by_model_and_kind(db: DataFlow) -> None:
    for number in range(3):
        db.express_sync.create("Product", {"name": str(number)})
    asyncio.run(db.express.count("Product"))
    with pytest.raises(RecordNotFoundError):
        db.express_sync.update("Product", 99, {"name": "x"})

    text = db.metrics()

    assert _value(text, 'dataflow_operation_seconds_count{model="Product",operation="create"}') == 3
    assert _value(text, 'dataflow_operation_seconds_bucket{model="Product",operation="create",le="+Inf"}') == 3
    assert _value(text, 'dataflow_operation_seconds_count{model="Product",operation="count"}') == 1
    assert _value(text, "dataflow_pool_connections") >= 1


def test_failures_are_counted_by_their_code(db: DataFlow) -> None:
    db.prepare()
    with db._sync.ddl() as connection:
        connection.ask("DROP TABLE products")
    with pytest.raises(DataFlowError):
        db.express_sync.count("Product")

    assert re.search(r'failures_total\{model="Product",operation="count",code="\w+"\} 1', db.metrics())


def test_kept_answers_are_counted(db: DataFlow) -> None:
    for _ in range(4):
        db.express_sync.count("Product")

    text = db.metrics()

    assert (_value(text, "dataflow_cache_hits_total"), _value(text, "dataflow_cache_misses_total")) == (3, 1)


def test_labels_have_an_end_whatever_is_asked(db: DataFlow) -> None:
    """Lesson 22: metrics labelled by id, until the process runs out of memory."""
    for number in range(200):
        db.express_sync.read("Product", number)
        db.express_sync.count("Product", {"name": f"n{number}"})

    lines = [line for line in db.metrics().splitlines() if "_count{" in line]

    assert len(lines) == 2


def test_a_slow_operation_is_logged_by_its_shape_and_not_its_values(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with _database(sqlite_url, slow_query_threshold=1e-9) as db, caplog.at_level(logging.WARNING, "dataflow.slow"):
        db.express_sync.list("Product", {"name__contains": "hunter2", "price__gte": 12345}, order_by="-price")

    (record,) = [each.message for each in caplog.records]
    assert re.fullmatch(r"list of Product where name contains and price gte sorted by -price took \d+\.\d{3} s", record)


def test_debug_logs_each_operation_with_its_duration(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with _database(sqlite_url, debug=True) as db, caplog.at_level(logging.INFO, "dataflow.operations"):
        db.express_sync.bulk_create("Product", [{"name": "secret"}] * 3)

    assert re.fullmatch(r"bulk_create of Product of 3 rows took \d+\.\d{6} s", caplog.records[-1].message)


def test_without_monitoring_nothing_is_measured(sqlite_url: str) -> None:
    with _database(sqlite_url) as db:
        assert db._monitor is None
        with pytest.raises(ConfigurationError, match="nothing is measured"):
            db.metrics()
