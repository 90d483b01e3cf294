"""What is asked again and again is prepared in the server; whatever becomes of that, it is answered, and done once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from dataflow import DataFlow
from dataflow.errors import DuplicateError
from dataflow.executors.prepared import MOST, OFTEN

MANY = OFTEN + 3
MOMENT = dt.datetime(2026, 11, 21, 10, 0, tzinfo=dt.UTC)
VALUES: dict[str, Any] = {
    "name": "100% cotton",
    "stock": 3,
    "price": 2.5,
    "cost": Decimal("1.10"),
    "live": True,
    "at": MOMENT,
    "day": MOMENT.date(),
    "key": UUID(int=7),
    "image": b"\0%s",
    "tags": ["a", "%b"],
    "level": "low",
}


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
        db.express_sync.create("Part", VALUES)
        yield db


def prepared(db: DataFlow) -> list[str]:
    with db.connection() as connection:
        return [str(sql) for (sql,) in connection.ask("SELECT statement FROM pg_prepared_statements")]


def test_a_read_that_comes_back_is_prepared_once(db: DataFlow) -> None:
    found = [db.express_sync.read("Part", 1) for _ in range(MANY)]

    assert found == [found[0]] * MANY
    assert found[0] is not None
    assert len(prepared(db)) == 1


@pytest.mark.parametrize(("limit", "planned_once"), [(20, True), (100, True), (None, True), (37, False)])
def test_a_page_of_a_usual_size_is_planned_once(limit: int | None, planned_once: bool, db: DataFlow) -> None:
    """Source: https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES: five plans, then one."""
    db.express_sync.bulk_create("Part", [VALUES] * 4_000)
    with db.connection() as connection:
        connection.ask("ANALYZE parts")
    lists = [db.express_sync.list("Part", {"stock": 3}, limit=limit) for _ in range(MANY + 10)]

    with db.connection() as connection:
        ((kept,),) = connection.ask("SELECT sum(generic_plans) FROM pg_prepared_statements")

    assert [len(each) for each in lists] == [len(lists[0])] * (MANY + 10)
    assert (kept > 0) is planned_once


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


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "'; DROP TABLE parts; -- %s"},
        {"stock": 10_000_000_000},
        {"price": 1e300},
        {"cost": Decimal("12.3400")},
        {"live": False},
        {"at": dt.datetime.max.replace(tzinfo=dt.UTC)},
        {"day": dt.date.min},
        {"key": UUID(int=8)},
        {"image": bytes(range(256))},
        {"tags": []},
        {"tags": ["%s", "$1", "é"]},
        {"level": "high"},
        {"note": "x" * 10_000},
        {"note": None},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_every_kind_of_value_is_stored_as_it_was_before(changes: dict[str, Any], db: DataFlow) -> None:
    stored = [db.express_sync.update("Part", 1, changes) for _ in range(MANY)]

    assert len(prepared(db)) == 1
    assert [{**record, "updated_at": None} for record in stored] == [{**stored[0], "updated_at": None}] * MANY
    assert [stored[-1][name] for name in changes] == [*changes.values()]


@pytest.mark.parametrize("how", ["SELECT 1", "DEALLOCATE ALL", "ALTER TABLE parts ALTER COLUMN stock TYPE NUMERIC"])
def test_a_write_is_done_once_whatever_came_in_between(how: str, db: DataFlow) -> None:
    for _ in range(MANY):
        db.express_sync.create("Part", VALUES)
    with db.connection() as connection:
        connection.ask(how)

    ids = [db.express_sync.create("Part", VALUES)["id"] for _ in range(MANY)]

    assert db.express_sync.count("Part") == len({1, *ids}) + MANY
    assert db.express_sync.delete("Part", ids[0]) is True


def test_a_write_that_is_refused_says_why_however_often_it_is_asked(db: DataFlow) -> None:
    for _ in range(MANY):
        with pytest.raises(DuplicateError, match="id"):
            db.express_sync.create("Part", {**VALUES, "id": 1})

    assert db.express_sync.count("Part") == 1


def test_who_writes_is_told_of_every_time(postgres_url: str) -> None:
    with DataFlow(postgres_url, pool_size=1, max_overflow=0, audit_logging=True, multi_tenant=True) as db:
        db.model(Part)
        tenants = [f"tenant {number}" for number in range(MANY)]
        for tenant in tenants:
            with db.tenant(tenant):
                id = db.express_sync.create("Part", VALUES)["id"]
                db.express_sync.update("Part", id, {"stock": 4})
                db.express_sync.delete("Part", id)
        entries = db.audit.query(model="Part")

        assert [(entry.tenant, entry.channel, entry.operation) for entry in reversed(entries)] == [
            (tenant, "python", what) for tenant in tenants for what in ("create", "update", "delete")
        ]
        assert sum("set_config" in statement for statement in prepared(db)) == 3


def test_no_connection_prepares_more_than_its_share(db: DataFlow) -> None:
    for size in range(1, MOST + 10):
        filter = {"$or": [{"stock": number} for number in range(size)] + [{"stock": 3}]}
        assert [db.express_sync.count("Part", filter) for _ in range(OFTEN + 1)] == [1] * (OFTEN + 1)

    assert len(prepared(db)) == MOST
