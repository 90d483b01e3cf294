"""The suite of loops, crowds and cancellations on SQLite, and what is about SQLite alone."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dataflow.effects import DataPlan, query
from dataflow.errors import DatabaseUnavailableError, RetryableError
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from suites import executor_life
from suites.executors import Stand, add, skus, tell, together


class _Here:
    @pytest.fixture(params=["file", "memory"])
    def url(self, request: pytest.FixtureRequest, sqlite_url: str) -> str:
        return sqlite_url if request.param == "file" else "sqlite:///:memory:"


class TestLoops(_Here, executor_life.Loops):
    pass


class TestCrowds(_Here, executor_life.Crowds):
    pass


class TestCancellations(_Here, executor_life.Cancellations):
    pass


COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "


def count_to(limit: int) -> DataPlan[int]:
    sql = COUNTING.format(limit) + "SELECT count(*) AS count FROM n"
    build = lambda: sa.text(sql).columns(sa.column("count", sa.Integer))  # noqa: E731
    rows = yield from query(("count", limit), build, {})
    return int(rows.items[0]["count"])


@pytest.fixture
def stand(sqlite_url: str) -> Any:
    made = Stand(sqlite_url, "asyncio")
    made.make_tables()
    yield made
    made.close()


def test_a_read_that_takes_long_does_not_hold_the_loop(stand: Stand) -> None:
    async def whole() -> tuple[int, int]:
        reading = asyncio.ensure_future(stand.aio.run(count_to(3_000_000)))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        return reading.result(), turns

    for _ in range(2):  # interrupted and asked again; then on a thread from the beginning
        count, turns = stand.do(whole)
        assert count == 3_000_000 and turns > 5


def test_a_write_that_waits_for_another_process_does_not_hold_the_loop(stand: Stand, sqlite_url: str) -> None:
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)

    async def whole() -> bool:
        await stand.aio.run(add("a"))
        await stand.aio.run(add("b"))  # on the loop: the turn and the connection are there
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(stand.aio.run(add("c")))
        for _ in range(5):
            await asyncio.sleep(0)
        waited = not waiting.done()
        other.execute("COMMIT")
        await waiting
        return waited

    assert stand.do(whole)
    assert stand.run(skus()) == ["a", "b", "c"]
    other.close()


def test_writes_from_a_loop_leave_no_endless_log(stand: Stand, sqlite_url: str) -> None:
    async def whole() -> None:
        for number in range(3_000):
            await stand.aio.run(add(f"{number:04}"))

    stand.do(whole)

    log = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    assert log.stat().st_size < 4096 * 4_000 * 1.5  # our bound of 4,000 pages, and one share of writes more


def test_a_long_write_ends_when_its_task_is_cancelled(stand: Stand) -> None:
    sql = COUNTING.format(2_000_000_000) + "INSERT INTO items (sku, qty) SELECT 'x' || i, i FROM n WHERE i % 5000 = 0"

    async def whole() -> None:
        task = asyncio.ensure_future(stand.aio.run(together(add("a"), tell(sql))))
        while stand.shared is not None and stand.shared.turn.idle:  # noqa: ASYNC110 - a thread takes the turn
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stand.aio.run(add("b"))

    stand.do(whole)

    assert stand.run(skus()) == ["b"]


def test_every_connection_has_all_of_its_settings(stand: Stand) -> None:
    assert stand.shared is not None
    sessions = [stand.shared.pool.take() for _ in range(3)]
    settings = ("foreign_keys", "synchronous", "wal_autocheckpoint")

    for session in sessions:
        asked = [session.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in settings]
        assert asked == [1, 1, 4000]  # ON, NORMAL, pages
        assert session.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert session.connection.execute("SELECT 'a' LIKE 'A'").fetchone() == (0,)
        stand.shared.pool.give(session)


def test_a_writer_that_another_process_holds_up_is_told_to_try_again(tmp_path: Path) -> None:
    stand = Stand(f"sqlite:///{tmp_path / 'shop.db'}?timeout=0.1", "blocking")
    stand.make_tables()
    other = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    for plan in (add("a"), together(add("a"))):
        with pytest.raises(RetryableError):
            stand.run(plan)
    other.execute("COMMIT")
    other.close()

    assert stand.run(add("a"))["sku"] == "a"
    stand.close()


def test_a_file_in_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    executor = SyncExecutor(DatabaseURL.parse(f"sqlite:///{tmp_path / 'nowhere' / 'shop.db'}"), PoolOptions())

    with pytest.raises(DatabaseUnavailableError):
        executor.ping()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("this is a shopping list, not a database\n" * 50)
    executor = SyncExecutor(DatabaseURL.parse(f"sqlite:///{tmp_path / 'shop.db'}"), PoolOptions())

    with pytest.raises(DatabaseUnavailableError):
        executor.ping()


FORK = """
import os, sys
sys.path[:0] = {path!r}
from suites.executors import Stand, add, skus
stand = Stand({url!r}, {face!r})
stand.run(add("before"))
child = os.fork()
if child == 0:
    stand.run(add("child"))
    os._exit(0 if "child" in stand.run(skus()) else 1)
stand.run(add("parent"))
_, status = os.waitpid(child, 0)
found = stand.run(skus())
stand.close()
sys.exit(os.waitstatus_to_exitcode(status) or found != ["before", "child", "parent"])
"""


def test_parent_and_child_go_on_after_a_fork(database_url: str) -> None:
    stand = Stand(database_url, "blocking")
    stand.make_tables()
    stand.close()

    program = FORK.format(path=sys.path, url=database_url, face="blocking")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
