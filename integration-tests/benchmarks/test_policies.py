"""What policies cost: an operation on a model that has them beside the same one on a model that has none.

Rule: the same fields, the same rows, the same database, the same connections: a ratio is of policy alone. What a
policy adds to a record (`tenant_id`, `deleted_at`) the model beside it declares itself, under names of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import psycopg2
import pytest

from benchmarks import harness
from benchmarks.limits import outbox, tables
from benchmarks.models import Product
from dataflow import DataFlow, Encrypted

Record = Callable[[harness.Line], None]
KEY = base64.b64encode(bytes(range(32))).decode()
TOLD = 60e-6  # seconds that a write may take longer for being told of
NUMBERS = itertools.count(1_000_000)  # of what is created: none is twice in a table
ROUNDS, CALLS = 60, 60  # short turns, many of them: what else the machine does meets both sides


class Columns(Product):
    """What is sold, with the columns that tenancy and soft deletion would add."""

    owner: str = "acme"
    gone_at: dt.datetime | None = None


class Sealed(Product):
    """What is sold, whose names nobody may read."""

    name: Annotated[str, Encrypted()]
    __tablename__ = "everything"


@pytest.fixture
def db(database_url: str) -> Iterator[DataFlow]:
    """A plain model of 10,000 rows, one with the columns of policies, and one for each policy."""
    policies: dict[str, dict[str, Any]] = {
        "Plain": {},
        "Owned": {"multi_tenant": True, "soft_delete": True},
        "ByHand": {},
        "Told": {"feed": True},
        "Mine": {"multi_tenant": True},
        "MineTold": {"multi_tenant": True, "feed": True},
        "Audited": {"audit_log": True},
        "Kept": {"audit_log": True, "multi_tenant": True},
    }
    with DataFlow(database_url) as db:
        db.model(type("Beside", (Columns,), {}))
        for name, policy in policies.items():
            db.model(type(name, (Product,), {"__dataflow__": policy}))
        with db.tenant("acme"):
            for name in ("Plain", "Beside", "Owned"):
                db.express_sync.bulk_create(name, tables.products())
        with db.tenant("globex"):
            db.express_sync.bulk_create("Owned", tables.products())
        analyzed(db)
        yield db


def analyzed(db: DataFlow) -> None:
    """As every database that has stood for a minute."""
    if db.url.dialect == "postgresql":
        with contextlib.closing(psycopg2.connect(**db.url.psycopg2_arguments())) as connection:
            connection.autocommit = True
            connection.cursor().execute("VACUUM ANALYZE")


class Calls:
    """One operation on any of the models, by either face."""

    def __init__(self, express: Any, operation: str) -> None:
        self._express, self._operation = express, operation

    def on(self, model: str) -> Callable[[], Any]:
        """Return the call."""
        express = self._express
        calls: dict[str, Callable[[], Any]] = {
            "read": lambda: express.read(model, 4_321),
            "list": lambda: express.list(model, {"category": "books"}, limit=20),
            "create": lambda: express.create(model, tables.product(next(NUMBERS))),
        }
        return calls[self._operation]


def measured(
    db: DataFlow,
    blocking: bool,
    loop: asyncio.Runner,
    operation: str,
    ours: tuple[DataFlow, str],
    beside: str,
    tenant: str | None = "acme",
    **held: Any,
) -> harness.Line:
    """Return the line of *operation* on ours, beside the same one on the model *beside* of *db*."""
    mine, model = ours
    what = f"{operation}, {model.lower()} beside {beside.lower()}, {'blocking' if blocking else 'asyncio'}, "
    what += {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[db.url.dialect]
    held = {"calls": CALLS, "rounds": ROUNDS, "paired": True, **held}
    acting = contextlib.nullcontext() if tenant is None else db.tenant(tenant)
    if blocking:
        with acting:
            one, other = Calls(mine.express_sync, operation).on(model), Calls(db.express_sync, operation).on(beside)
            return harness.compare(what, one, other, **held)

    async def measure() -> harness.Line:
        async with acting:
            one, other = Calls(mine.express, operation).on(model), Calls(db.express, operation).on(beside)
            line = await harness.acompare(what, one, other, **held)
        await mine.close_async()
        await db.close_async()
        return line

    return loop.run(measure())


@pytest.fixture(params=["blocking", "asyncio"])
def blocking(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "blocking")


@pytest.mark.parametrize("operation", ["read", "list"])
def test_tenancy_and_soft_delete(
    operation: str, blocking: bool, db: DataFlow, loop: asyncio.Runner, record: Record
) -> None:
    record(measured(db, blocking, loop, operation, (db, "Owned"), "Beside", reach=1.05, aim=1.02))


def test_audit(blocking: bool, db: DataFlow, loop: asyncio.Runner, record: Record) -> None:
    record(measured(db, blocking, loop, "create", (db, "Audited"), "Plain", reach=1.6, aim=1.4))


@pytest.mark.parametrize(("tenant", "told", "beside"), [(None, "Told", "Plain"), ("acme", "MineTold", "Mine")])
def test_a_write_that_is_told(
    tenant: str | None, told: str, beside: str, blocking: bool, db: DataFlow, loop: asyncio.Runner, record: Record
) -> None:
    line = measured(db, blocking, loop, "create", (db, told), beside, tenant, reach=1.6, aim=1.4)
    record(harness.added(line, reach=TOLD, aim=TOLD / 2))


def test_a_write_that_is_told_beside_the_least_there_can_be(
    blocking: bool, db: DataFlow, loop: asyncio.Runner, record: Record
) -> None:
    with db.connection() as connection:
        for statement in outbox.statements("by_hands", db.url.dialect):
            connection.ask(statement)
    by_hand = measured(db, blocking, loop, "create", (db, "ByHand"), "Plain", None, reach=1.6)
    record(harness.added(by_hand, reach=TOLD, aim=TOLD / 2))
    record(measured(db, blocking, loop, "create", (db, "Told"), "ByHand", None, reach=1.2, aim=1.1))


def test_everything(blocking: bool, db: DataFlow, loop: asyncio.Runner, record: Record) -> None:
    on = {"multi_tenant": True, "audit_logging": True, "cache_enabled": True, "monitoring": True}
    with DataFlow(db.options.database_url, encryption_key=KEY, slow_query_threshold=1.0, **on) as full:
        full.model(type("Everything", (Sealed,), {"__dataflow__": {"soft_delete": True, "versioned": True}}))
        full.prepare()
        record(measured(db, blocking, loop, "create", (full, "Everything"), "Plain", reach=2.2, aim=1.8))


def test_bulk_create(blocking: bool, db: DataFlow, loop: asyncio.Runner, record: Record) -> None:
    """Each of its rounds begins with empty tables, and an empty log of changes."""
    capabilities = {each.name: each for each in db.capabilities()}
    asks = {name: capabilities[f"{name}.bulk_create"].inputs.accept for name in ("plains", "kepts")}
    numbers = itertools.count(100_000, tables.ROWS)
    samples = []
    for _ in range(12):
        taken = []
        for name in ("plains", "kepts"):
            emptied(db)
            operation = asks[name]({"data": tables.products(first=next(numbers))}).operation
            taken.append(_sample(db, operation, blocking, loop))
        samples.append((taken[0], taken[1]))
    loop.run(db.close_async())
    what = f"bulk_create of 10,000, kept, {'blocking' if blocking else 'asyncio'}, {db.url.dialect} (rows/s)"
    record(harness._line(what, samples[1:], 0.4, 0.5, True))


def _sample(db: DataFlow, operation: Any, blocking: bool, loop: asyncio.Runner) -> harness.Sample:
    if blocking:
        with db.tenant("acme"):
            return harness._timed(lambda: db.run(operation), 1)

    async def measure() -> harness.Sample:
        async with db.tenant("acme"):
            return await harness._atimed(lambda: db.arun(operation), 1, 1)

    return loop.run(measure())


def emptied(db: DataFlow) -> None:
    with db.connection() as connection:
        for table in ("plains", "kepts", "dataflow_changes"):
            connection.ask(f"DELETE FROM {table}" if db.url.dialect == "sqlite" else f"TRUNCATE {table}")
    analyzed(db)
