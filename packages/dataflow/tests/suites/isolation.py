"""What a test writes is undone after it, on any database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

import pytest

from dataflow import DataFlow, ForeignKey
from dataflow.schema.inspect import inspect
from dataflow.testing import Template, isolated
from suites.evolution import item

TESTS = """
import sys
sys.path[:0] = {path!r}
import pytest
from dataflow import DataFlow

db = DataFlow({url!r}, {mode})

@db.model
class Product:
    name: str

@pytest.mark.parametrize("number", range(3))
def test_each_finds_it_as_the_others_did(number):
    assert db.express_sync.count("Product") == 0
    db.express_sync.create("Product", {{"name": "Lamp"}})
    with db.transaction_sync():
        db.express_sync.bulk_create("Product", [{{"name": "Chair"}}])
    assert db.express_sync.count("Product") == 2

def test_a_failure_leaves_nothing_either():
    db.express_sync.create("Product", {{"name": "Lamp"}})
    assert False

def test_the_next_one_does_not_notice():
    assert db.express_sync.count("Product") == 0

@pytest.mark.parametrize("number", range(2))
async def test_under_asyncio(number):
    assert await db.express.count("Product") == 0
    await db.express.create("Product", {{"name": "Lamp"}})
    async with db.transaction():
        await db.express.create("Product", {{"name": "Chair"}})
        async with db.transaction():
            await db.express.bulk_create("Product", [{{"name": "Stool"}}])
    assert await db.express.count("Product") == 3
    assert db.express_sync.count("Product") == 3

def test_another_database(isolated):
    other = DataFlow("sqlite:///:memory:")
    other.model(Product)
    isolated(other).express_sync.create("Product", {{"name": "Lamp"}})
"""


ASYNCIO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")


class Isolation:
    def test_what_is_written_in_the_block_is_undone(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str))
            db.express_sync.create("Item", {"name": "a"})
            with isolated(db):
                db.express_sync.create("Item", {"name": "b"})
                with db.transaction_sync():
                    db.express_sync.create("Item", {"name": "c"})
                assert db.express_sync.count("Item") == 3

            assert [each["name"] for each in db.express_sync.list("Item")] == ["a"]

    def test_an_error_in_the_block_is_the_blocks(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str))
            with pytest.raises(ZeroDivisionError), isolated(db):
                db.express_sync.create("Item", {"name": "b"})
                raise ZeroDivisionError

            assert db.express_sync.count("Item") == 0

    async def test_what_a_coroutine_writes_in_the_block_is_undone(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str))
            with isolated(db):
                await db.express.create("Item", {"name": "a"})
                async with db.transaction():
                    await db.express.create("Item", {"name": "b"})
                with pytest.raises(ZeroDivisionError):
                    async with db.transaction():
                        await db.express.create("Item", {"name": "c"})
                        raise ZeroDivisionError
                assert [each["name"] for each in await db.express.list("Item")] == ["a", "b"]

            assert await db.express.count("Item") == 0
            await db.close_async()

    async def test_transactions_of_several_tasks_in_the_block_take_turns(self, url: str) -> None:
        async def write(name: str) -> None:
            async with db.transaction():
                await db.express.create("Item", {"name": name})
                async with db.transaction():
                    await db.express.create("Item", {"name": name})

        with DataFlow(url) as db:
            db.model(item(name=str))
            with isolated(db):
                await asyncio.gather(*[write(name) for name in "abcd"])
                assert await db.express.count("Item") == 8
            assert await db.express.count("Item") == 0
            await db.close_async()

    async def test_a_task_that_is_cancelled_in_the_block_leaves_it_in_order(self, url: str) -> None:
        async def write() -> None:
            async with db.transaction():
                await db.express.create("Item", {"name": "a"})
                begun.set()
                await asyncio.Event().wait()

        with DataFlow(url) as db:
            db.model(item(name=str))
            with isolated(db):
                begun = asyncio.Event()
                task = asyncio.create_task(write())
                await begun.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert await db.express.count("Item") == 0
                await db.express.create("Item", {"name": "b"})
                assert await db.express.count("Item") == 1
            await db.close_async()

    @pytest.mark.parametrize(
        "mode",
        ["tdd_mode=True", "test_mode=True", "tdd_mode='rollback'", "tdd_mode='template'", "test_mode='template'"],
    )
    def test_under_pytest_every_test_is_isolated(self, mode: str, url: str, tmp_path: Path) -> None:
        (tmp_path / "test_shop.py").write_text(TESTS.format(path=sys.path, url=url, mode=mode))
        plugin = "from importlib.metadata import entry_points as e; print([p.name for p in e(group='pytest11')])"
        found = subprocess.run([sys.executable, "-c", plugin], capture_output=True, text=True, check=True).stdout
        needed = [] if "'dataflow'" in found else ["-p", "dataflow.pytest_plugin"]

        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ASYNCIO, *needed, "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

        assert "1 failed, 7 passed" in run.stdout, run.stdout + run.stderr
        with DataFlow(url) as db, db.connection() as connection:
            assert not [name for name in inspect(connection).tables if name.startswith("dataflow_template")]


class Templates:
    @pytest.fixture
    def shop(self, url: str) -> DataFlow:
        db = DataFlow(url)

        @db.model
        class Line:
            order_id: Annotated[int, ForeignKey("Order.id")]

        @db.model
        class Order:
            number: str
            first_id: Annotated[int | None, ForeignKey("Line.id")] = None
            __indexes__ = [{"fields": ["number"], "unique": True}]

        db.express_sync.create("Order", {"number": "one"})
        db.express_sync.create("Line", {"order_id": 1})
        return db

    def test_what_anybody_committed_is_put_back(self, shop: DataFlow, url: str) -> None:
        with shop as db:
            before = db.express_sync.list("Order"), db.express_sync.list("Line")
            template = Template(db)
            for _ in range(2):
                thread = threading.Thread(target=lambda: db.express_sync.delete("Line", 1))
                thread.start()
                thread.join()
                with DataFlow(url) as other, other.connection() as connection:
                    connection.ask("UPDATE orders SET number = 'two'")
                assert db.express_sync.create("Order", {"number": "one"})["id"] == 2

                template.restore()

                assert (db.express_sync.list("Order"), db.express_sync.list("Line")) == before
            template.drop()
            assert db.express_sync.create("Line", {"order_id": 1})["id"] == 2

    def test_what_is_kept_for_later_is_neither_a_model_nor_in_the_way_of_the_schema(self, shop: DataFlow) -> None:
        with shop as db:
            template = Template(db)
            assert [*db.discover_schema().tables] == ["lines", "orders"]
            assert db.schema.plan().changes == ()
            template.drop()
            with db.connection() as connection:
                assert not [name for name in inspect(connection).tables if name.startswith("dataflow_template")]

    def test_answers_that_were_kept_are_forgotten(self, url: str) -> None:
        with DataFlow(url, cache_enabled=True) as db:
            db.model(item(name=str))
            template = Template(db)
            db.express_sync.create("Item", {"name": "a"})
            assert db.express_sync.count("Item") == 1

            template.restore()

            assert db.express_sync.count("Item") == 0
            template.drop()

    def test_the_audit_log_is_put_back_too(self, url: str) -> None:
        with DataFlow(url, audit_logging=True) as db:
            db.model(item(name=str))
            db.express_sync.create("Item", {"name": "a"})
            template = Template(db)
            db.express_sync.create("Item", {"name": "b"})

            template.restore()

            assert [each.after["name"] for each in db.audit.query() if each.after] == ["a"]
            template.drop()
