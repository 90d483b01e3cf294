"""The suite of loops, crowds and cancellations on PostgreSQL, and what is about PostgreSQL alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from dataflow.effects import DataPlan, query
from dataflow.errors import DatabaseUnavailableError, RetryableError
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from kailash.errors import DeadlineExceededError
from suites import executor_life
from suites.executors import Stand, add, skus, tell, together


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestLoops(_Here, executor_life.Loops):
    pass


class TestCrowds(_Here, executor_life.Crowds):
    pass


class TestCancellations(_Here, executor_life.Cancellations):
    pass


@pytest.fixture(params=["blocking", "asyncio"])
def stand(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Stand]:
    made = Stand(postgres_url, request.param, pool_size=2, max_overflow=0)
    made.make_tables()
    yield made
    made.close()


def cut_all(url: str) -> None:
    """End every other session of this database, as a restart of the server does."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"  # ms: wait until it has ended
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connection.close()


def ask(url: str, sql: str) -> Any:
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall()
    connection.close()
    return rows


def test_a_read_survives_the_loss_of_idle_connections(stand: Stand, postgres_url: str) -> None:
    stand.run(add("a"))
    cut_all(postgres_url)

    assert stand.run(skus()) == ["a"]
    assert stand.run(add("b"))["sku"] == "b"


def test_a_transaction_survives_the_loss_of_idle_connections(stand: Stand, postgres_url: str) -> None:
    stand.run(skus())
    cut_all(postgres_url)

    stand.run(together(add("a")))
    assert stand.run(skus()) == ["a"]


def test_a_transaction_whose_connection_is_lost_fails_and_leaves_nothing(stand: Stand, postgres_url: str) -> None:
    def cut() -> DataPlan[None]:
        yield from add("a")
        cut_all(postgres_url)
        yield from add("b")

    with pytest.raises(DatabaseUnavailableError):
        stand.run(together(cut()))

    stand.run(together(add("c")))
    assert stand.run(skus()) == ["c"]


def test_what_the_server_takes_too_long_for_is_a_timeout(stand: Stand) -> None:
    with pytest.raises(DeadlineExceededError):
        stand.run(together(tell("SET LOCAL statement_timeout = 50"), tell("SELECT pg_sleep(30)")))


def test_a_serialization_failure_may_be_tried_again(postgres_url: str) -> None:
    stand = Stand(postgres_url, "blocking")
    stand.make_tables()
    stand.run(add("a", 1))

    with pytest.raises(RetryableError), stand.sync.begin("repeatable read") as transaction:
        stand.sync.run(skus(), transaction)
        stand.run(tell("UPDATE items SET qty = qty + 1"))
        stand.sync.run(tell("UPDATE items SET qty = qty + 1"), transaction)
    stand.close()


def test_a_cancelled_statement_stops_on_the_server_and_its_connection_is_used_again(postgres_url: str) -> None:
    stand = Stand(postgres_url, "asyncio", pool_size=1, max_overflow=0)
    here = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
    sleeping = f"{here} query LIKE 'SELECT pg_sleep(60%' AND state = 'active'"

    async def whole() -> tuple[Any, Any]:
        before = await stand.aio.run(backend())
        task = asyncio.ensure_future(stand.aio.run(together(tell("SELECT pg_sleep(60)"))))
        while not ask(postgres_url, sleeping)[0][0]:  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return before, await stand.aio.run(backend())

    before, after = stand.do(whole)

    assert before == after
    assert ask(postgres_url, sleeping) == [(0,)]
    assert ask(postgres_url, f"{here} state LIKE 'idle in%'") == [(0,)]
    stand.close()


def test_the_time_zone_of_every_session_is_utc(stand: Stand) -> None:
    def zone() -> DataPlan[Any]:
        build = lambda: sa.text("SELECT current_setting('TimeZone') AS zone").columns(sa.column("zone", sa.Text))  # noqa: E731
        return (yield from query("zone", build, {})).items

    assert stand.run(zone()) == [{"zone": "UTC"}]


def backend() -> DataPlan[Any]:
    build = lambda: sa.text("SELECT pg_backend_pid() AS pid").columns(sa.column("pid", sa.Integer))  # noqa: E731
    return (yield from query("backend", build, {})).items


@pytest.mark.parametrize("spoil", ["port", "password", "database"])
@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_a_server_that_cannot_be_entered_is_unavailable_and_no_secret_is_told(
    postgres_url: str, spoil: str, face: str
) -> None:
    url = DatabaseURL.parse(postgres_url)
    port = "1" if spoil == "port" else url.port
    database = "nowhere" if spoil == "database" else url.database
    user = "nobody_of_that_name" if spoil == "password" else url.user
    host = url.host or url.options.get("host", "")
    stand = Stand(f"postgresql://{user}:hush-hush@{host}:{port}/{database}", face)

    with pytest.raises(DatabaseUnavailableError) as caught:
        stand.run(skus())

    assert "hush" not in str(caught.value) and "hush" not in repr(stand.url)
    stand.close()


def test_connections_grow_old(postgres_url: str) -> None:
    executor = SyncExecutor(DatabaseURL.parse(postgres_url), PoolOptions(pool_size=1, pool_recycle=1e-9))

    assert executor.run(backend()) != executor.run(backend())
    executor.close()
