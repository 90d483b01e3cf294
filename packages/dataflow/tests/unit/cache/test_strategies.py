"""For how long which answers are kept, and what else a write makes old."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.operations import values as ops
from kailash.context import ANONYMOUS
from kailash.errors import ConfigurationError

SEEDS = {
    "products": {
        "list": {"ttl": 600, "key_pattern": "products:*"},
        "get": {"ttl": 3600, "key_pattern": "product:{id}"},
    },
    "orders": {"list": {"ttl": 60}, "aggregate": {"ttl": 300}},
}
EVENTS = {
    "product_update": ["products:*", "product:{id}"],
    "product_create": ["products:*"],
    "order_create": ["orders:*", "analytics:*"],
}


def _shop(**options: Any) -> DataFlow:
    db = DataFlow("sqlite:///:memory:", **options)

    @db.model
    class Product:
        name: str

    @db.model
    class Order:
        total: float

    @db.model
    class Visit:
        page: str

        __dataflow__ = {"cache": {"list": 5, "count": False}}

    return db


def _kept_for(db: DataFlow, ask: Any, *moments: float) -> list[bool]:
    """Whether the answer of the first moment is still there at each of the others."""
    clock = [0.0]
    db.cache.clock = lambda: clock[0]
    db.cache.clear()
    found = []
    for moment in moments:
        clock[0] = 0.0
        db.cache.clear()
        ask()
        hits, clock[0] = db.cache.hits, moment
        ask()
        found.append(db.cache.hits == hits + 1)
    return found


def test_each_operation_is_kept_for_its_own_time() -> None:
    with _shop(cache_enabled=True, cache_strategies=SEEDS, cache_ttl=10) as db:
        express = db.express_sync
        product = express.create("Product", {"name": "Lamp"})["id"]

        assert _kept_for(db, lambda: express.list("Product"), 599, 601) == [True, False]
        assert _kept_for(db, lambda: express.read("Product", product), 3599, 3601) == [True, False]
        assert _kept_for(db, lambda: express.count("Product"), 9, 11) == [True, False]
        assert _kept_for(db, lambda: express.list("Order"), 59, 61) == [True, False]
        assert _kept_for(db, lambda: express.list("Visit"), 4, 6) == [True, False]
        assert _kept_for(db, lambda: express.count("Visit"), 1) == [False]


def test_a_strategy_is_a_wish_to_cache() -> None:
    with _shop(cache_strategies={"products": {"list": 60}}) as db:
        for _ in range(2):
            db.express_sync.list("Product")
            db.express_sync.list("Order")

        assert (db.cache.hits, db.cache.misses) == (1, 1)


def test_an_event_makes_old_what_it_names() -> None:
    aggregate = ops.Aggregate("Product", measures=(ops.Measure("n", "count", None, int),))
    with _shop(cache_enabled=True, invalidation_events={**EVENTS, "order_update": "products:*"}) as db:
        express = db.express_sync
        order = express.create("Order", {"total": 1.0})["id"]
        asked: list[Callable[[], Any]] = [lambda: express.list("Product"), lambda: db.run(aggregate)]

        def old_after(write: Any) -> list[bool]:
            for ask in asked:
                ask()
            write()
            misses = []
            for ask in asked:
                before = db.cache.misses
                ask()
                misses.append(db.cache.misses > before)
            return misses

        assert old_after(lambda: express.create("Visit", {"page": "/"})) == [False, False]
        assert old_after(lambda: express.create("Order", {"total": 2.0})) == [False, True]
        assert old_after(lambda: express.update("Order", order, {"total": 3.0})) == [True, True]
        assert old_after(lambda: express.delete("Order", order)) == [False, False]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cache_strategies": {"products": {"lits": 5}}}, "did you mean 'list'"),
        ({"cache_strategies": {"products": {"list": {"tll": 5}}}}, "did you mean 'ttl'"),
        ({"cache_strategies": {"products": {"list": -5}}}, "number of seconds"),
        ({"cache_strategies": {"products": {"list": "5"}}}, "number of seconds"),
        ({"invalidation_events": {"product_updated": ["products:*"]}}, "product_updated"),
        ({"invalidation_events": {"product_update": 7}}, "list of patterns"),
        ({"invalidation_events": {"product_update": [7]}}, "list of patterns"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], says: str) -> None:
    with _shop(cache_enabled=True, **options) as db, pytest.raises(ConfigurationError) as refused:
        db.prepare()
    assert says in f"{refused.value} {refused.value.hint}"


def test_a_name_of_no_model_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with _shop(cache_enabled=True, cache_strategies={"prodcuts": {"list": 5}}) as db:
        db.prepare()

    assert "'prodcuts'" in caplog.text and "products" in caplog.text


def test_common_queries_are_asked_for_before_anybody_asks(sqlite_url: str) -> None:
    with DataFlow(sqlite_url, cache_enabled=True, preload_common_queries=True) as db:

        @db.model
        class Product:
            name: str

        @db.model
        class Secret:
            text: str

            __dataflow__ = {"multi_tenant": True}

        db.prepare()
        db.catch_up()
        asked = {each.name: each for each in db.capabilities()}
        for name in ("products.list", "products.count"):
            asked[name].direct({}, ANONYMOUS)

        assert (db.cache.hits, db.cache.misses) == (2, 2)
