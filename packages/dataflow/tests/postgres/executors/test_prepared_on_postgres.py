"""Reads that are asked again and again are prepared in the server; whatever becomes of that, they are answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from dataflow import DataFlow
from dataflow.executors.prepared import MOST, OFTEN

MANY = OFTEN + 3
MOMENT = dt.datetime(2026, 11, 21, 10, 0, tzinfo=dt.UTC)


class Part:
    name: str
    stock: int
    price: float
    cost: Decimal
    live: bool
    at: dt.datetime
    day: dt.date
    key: UUID
    image: bytes
    tags: list[str]
    level: Literal["low", "high"]
    note: str | None = None


@contextmanager
def opened(url: str) -> Iterator[DataFlow]:
    """A database of one connection."""
    with DataFlow(url, pool_size=1, max_overflow=0) as db:
        db.model(Part)
        yield db


@pytest.fixture
def db(postgres_url: str) -> Iterator[DataFlow]:
    """One record of each kind of value."""
    with opened(postgres_url) as db:
        values = {"stock": 3, "price": 2.5, "cost": Decimal("1.10"), "live": True, "at": MOMENT, "day": MOMENT.date()}
        values |= {"key": UUID(int=7), "image": b"\0%s", "tags": ["a", "%b"], "level": "low"}
        db.express_sync.create("Part", {"name": "100% cotton", **values})
        yield db


def prepared(db: DataFlow) -> list[str]:
    with db.connection() as connection:
        return [str(sql) for (sql,) in connection.ask("SELECT statement FROM pg_prepared_statements")]


def test_a_read_that_comes_back_is_prepared_once(db: DataFlow) -> None:
    found = [db.express_sync.read("Part", 1) for _ in range(MANY)]

    assert found == [found[0]] * MANY
    assert found[0] is not None
    assert len(prepared(db)) == 1


def test_a_read_that_does_not_come_back_is_not_prepared(db: DataFlow) -> None:
    for _ in range(OFTEN):
        db.express_sync.read("Part", 1)

    assert prepared(db) == []


def test_a_transaction_prepares_nothing_and_uses_nothing_prepared(db: DataFlow) -> None:
    with db.transaction_sync():
        for _ in range(MANY):
            db.express_sync.read("Part", 1)
    assert prepared(db) == []
    for _ in range(MANY):
        db.express_sync.read("Part", 1)
    with db.connection() as connection:
        connection.ask("DEALLOCATE ALL")

    with db.transaction_sync():  # a statement that does not exist would end it
        assert db.express_sync.read("Part", 1) is not None


@pytest.mark.parametrize("how", ["DEALLOCATE ALL", "ALTER TABLE parts ALTER COLUMN stock TYPE NUMERIC", "DISCARD ALL"])
def test_a_pooler_or_a_migration_in_between_is_not_noticed(how: str, db: DataFlow) -> None:
    for _ in range(MANY):
        db.express_sync.read("Part", 1)
    with db.connection() as connection:
        connection.ask(how)

    assert [(db.express_sync.read("Part", 1) or {})["stock"] for _ in range(MANY)] == [3] * MANY


def test_what_others_prepared_on_the_same_connection_is_the_same_statement(db: DataFlow, postgres_url: str) -> None:
    found = [db.express_sync.read("Part", 1) for _ in range(MANY)]
    (sql,) = prepared(db)
    with opened(postgres_url) as other:
        other.prepare()
        with other.connection() as connection:
            connection.ask(sql)

        assert [other.express_sync.read("Part", 1) for _ in range(MANY)] == found
        assert prepared(other) == [sql]


@pytest.mark.parametrize(
    "filter",
    [
        {"name": "100% cotton"},
        {"name": {"$contains": "0% c"}},
        {"name": {"$in": ["100% cotton", "%s"]}},
        {"stock": {"$gte": 3, "$lt": 4}},
        {"stock": {"$in": [3, 10_000_000_000]}},
        {"price": 2.5},
        {"price": {"$lt": 3}},
        {"cost": Decimal("1.1")},
        {"live": True},
        {"at": MOMENT},
        {"at": {"$gt": dt.datetime.min.replace(tzinfo=dt.UTC)}},
        {"day": MOMENT.date()},
        {"key": UUID(int=7)},
        {"key": {"$in": [UUID(int=7)]}},
        {"image": b"\0%s"},
        {"tags": {"$contains": "%b"}},
        {"level": "low"},
        {"level": {"$nin": []}},
        {"note": None},
        {"note": {"$ne": "x"}},
    ],
    ids=str,
)
def test_every_kind_of_value_is_found_as_it_was_before(filter: dict[str, Any], db: DataFlow) -> None:
    found = [[row["id"] for row in db.express_sync.list("Part", filter, limit=5)] for _ in range(MANY)]

    assert found == [[1]] * MANY
    assert len(prepared(db)) == 1


def test_no_connection_prepares_more_than_its_share(db: DataFlow) -> None:
    for size in range(1, MOST + 10):
        filter = {"$or": [{"stock": number} for number in range(size)] + [{"stock": 3}]}
        assert [db.express_sync.count("Part", filter) for _ in range(OFTEN + 1)] == [1] * (OFTEN + 1)

    assert len(prepared(db)) == MOST
