"""What ``dataflow_config`` says of the database is done by the database, and its effect seen."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from dataflow import DataFlow
from kailash.errors import ConfigurationError, NotAvailableError
from nexus import Nexus
from redis_server import RedisServer


def _shop(url: str) -> DataFlow:
    db = DataFlow(url)

    @db.model
    class Product:
        name: str

    return db


def _nexus(db: DataFlow, **config: Any) -> Nexus:
    return Nexus(api_port=0, mcp_port=None, dataflow_config={"integration": db, **config})


def _number(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, text
    return float(found.group(1))


def test_metrics_of_calls_and_of_the_database_are_served(database_url: str) -> None:
    slow = {"slow_queries": {"threshold": 100}}
    with _shop(database_url) as db:
        app = _nexus(db, monitoring={"enabled": True, "database_metrics": slow, "api_metrics": {"request_rate": True}})
        app.start(blocking=False)
        with app, httpx.Client(base_url=app.api_url, timeout=30) as client:
            client.post("/api/products", json={"name": "Lamp"})
            for _ in range(3):
                client.get("/api/products")
            client.get("/api/products/99")
            client.get("/api/nothing/at/all")
            answer = client.get("/metrics")

        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        text = answer.text
        assert _number(text, 'nexus_calls_total{channel="rest",capability="products.list",code="ok"}') == 3
        assert (
            _number(text, 'nexus_calls_total{channel="rest",capability="products.read",code="record_not_found"}') == 1
        )
        assert _number(text, 'dataflow_operation_seconds_count{model="Product",operation="create"}') == 1
        assert _number(text, "dataflow_pool_connections") >= 1
        assert db.options.slow_query_threshold == 0.1
        assert "nothing" not in text


def test_without_monitoring_there_are_no_metrics(sqlite_url: str) -> None:
    with _shop(sqlite_url) as db:
        app = _nexus(db)
        app.start(blocking=False)
        with app, httpx.Client(base_url=app.api_url, timeout=30) as client:
            assert client.get("/metrics").status_code == 404


def test_a_path_that_callers_make_up_is_no_label(sqlite_url: str) -> None:
    """Lesson 22: metrics labelled by raw path or id, until the process runs out of memory."""
    with _shop(sqlite_url) as db:
        app = Nexus(api_port=0, mcp_port=None, dataflow_integration=db, enable_monitoring=True)
        app.start(blocking=False)
        with app, httpx.Client(base_url=app.api_url, timeout=30) as client:
            client.get("/api/products")
            before = len(client.get("/metrics").text.splitlines())
            for number in range(20):
                client.get(f"/api/made-up-{number}")
                client.post(f"/workflows/made-up-{number}/execute", json={})
            after = client.get("/metrics").text

        assert "made-up" not in after
        assert len(after.splitlines()) <= before + 2 * 20


def test_answers_are_kept_where_and_for_as_long_as_is_said(database_url: str, redis_server: RedisServer) -> None:
    caching = {
        "enabled": True,
        "backend": "redis",
        "url": redis_server.url,
        "default_ttl": 300,
        "cache_strategies": {"products": {"list": {"ttl": 600, "key_pattern": "products:*"}}},
        "invalidation_events": {"product_update": ["products:*", "product:{id}"]},
    }
    with _shop(database_url) as db:
        _nexus(db, caching=caching)
        db.express_sync.create("Product", {"name": "Lamp"})
        for _ in range(2):
            db.express_sync.list("Product")

        assert (db.cache.hits, db.cache.misses) == (1, 1)
        assert any(b"token" not in key for key in redis_server.names())


def test_the_pool_is_as_large_as_is_said(database_url: str) -> None:
    with _shop(database_url) as db:
        _nexus(db, connection_pooling={"size": 3, "overflow": 1, "recycle": 3600})

        assert (db.options.pool_size, db.options.max_overflow, db.options.pool_recycle) == (3, 1, 3600)
        assert db.express_sync.count("Product") == 0


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"caching": {"enabled": True, "backend": "memcached"}}, "memcached"),
        ({"caching": {"enabled": True, "defualt_ttl": 5}}, "default_ttl"),
        ({"connection_pooling": {"size": 0, "overflow": 1}}, "pool_size"),
        ({"connection_pooling": {"siez": 5}}, "size"),
        ({"monitoring": {"enabled": True, "databse_metrics": {}}}, "database_metrics"),
    ],
)
def test_settings_that_make_no_sense_are_refused(sqlite_url: str, config: dict[str, Any], says: str) -> None:
    with _shop(sqlite_url) as db, pytest.raises(ConfigurationError, match=says):
        _nexus(db, **config)


def test_what_this_version_cannot_do_says_so(sqlite_url: str) -> None:
    with _shop(sqlite_url) as db, pytest.raises(NotAvailableError, match="alerts"):
        _nexus(db, monitoring={"enabled": True, "alerts": {"slow_response": {"threshold": 1000, "window": 60}}})


def test_the_seeds_settings_for_a_busy_site_are_taken(sqlite_url: str) -> None:
    caching = {"enabled": True, "aggressive_caching": True, "preload_common_queries": True}
    with _shop(sqlite_url) as db:
        _nexus(db, caching=caching, connection_pooling={"size": 50, "overflow": 25, "recycle": 3600})
        db.prepare()
        db.catch_up()

        assert len(db.cache) == 2


def test_a_database_that_is_in_use_takes_no_settings(sqlite_url: str) -> None:
    with _shop(sqlite_url) as db:
        db.express_sync.count("Product")
        with pytest.raises(ConfigurationError, match="in use already"):
            _nexus(db, connection_pooling={"size": 2})
