"""What a transaction of several operations promises; on any database, through either face."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from dataflow import DataFlow
from dataflow.effects import after_commit, query
from dataflow.errors import DuplicateError, TransactionError
from dataflow.transactions.joined import JOINED
from kailash.errors import ConfigurationError
from suites.faces import Face, Facing

LAMP = {"sku": "L-1", "name": "Lamp", "stock": 5}


def shop_at(url: str) -> DataFlow:
    db = DataFlow(url)

    @db.model
    class Product:
        sku: str
        name: str
        stock: int = 0

        __indexes__ = [{"fields": ["sku"], "unique": True}]

    return db


class Blocks:
    """Of both faces."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        return faced(shop_at(url))

    @pytest.fixture
    def other(self, url: str) -> Iterator[Face]:
        """The same database as somebody else sees it."""
        face = Face(shop_at(url), blocking=True)
        yield face
        face.close()

    def test_what_is_done_inside_is_seen_inside_at_once_and_outside_after_the_end(
        self, shop: Face, other: Face
    ) -> None:
        with shop.transaction():
            shop.express("create", "Product", LAMP)

            assert shop.express("count", "Product") == 1
            assert other.express("count", "Product") == 0

        assert other.express("count", "Product") == 1

    def test_an_exception_undoes_everything(self, shop: Face) -> None:
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.express("create", "Product", LAMP)
            shop.express("bulk_create", "Product", [{"sku": "L-2", "name": "Other"}])
            raise ZeroDivisionError

        assert shop.express("count", "Product") == 0

    def test_a_nested_one_is_undone_by_itself(self, shop: Face) -> None:
        with shop.transaction():
            shop.express("create", "Product", LAMP)
            with pytest.raises(ZeroDivisionError), shop.transaction():
                shop.express("update", "Product", 1, {"stock": 0})
                raise ZeroDivisionError
            with shop.transaction():
                shop.express("update", "Product", 1, {"name": "Bright lamp"})

        assert shop.express("read", "Product", 1)["stock"] == 5
        assert shop.express("read", "Product", 1)["name"] == "Bright lamp"

    def test_the_outer_one_undoes_the_nested_ones(self, shop: Face) -> None:
        with pytest.raises(ZeroDivisionError), shop.transaction():
            with shop.transaction(), shop.transaction():
                shop.express("create", "Product", LAMP)
            raise ZeroDivisionError

        assert shop.express("count", "Product") == 0

    def test_after_a_failed_statement_only_the_end_is_left(self, shop: Face) -> None:
        with pytest.raises(TransactionError, match="only be rolled back"), shop.transaction():
            shop.express("create", "Product", LAMP)
            with pytest.raises(DuplicateError):
                shop.express("create", "Product", LAMP)
            with pytest.raises(TransactionError, match="sku in products"):
                shop.express("count", "Product")

        assert shop.express("count", "Product") == 0

    def test_what_may_fail_is_nested_and_the_rest_goes_on(self, shop: Face) -> None:
        with shop.transaction():
            shop.express("create", "Product", LAMP)
            with pytest.raises(DuplicateError), shop.transaction():
                shop.express("create", "Product", LAMP)
            with pytest.raises(TransactionError), shop.transaction(), pytest.raises(DuplicateError):
                shop.express("create", "Product", LAMP)
            shop.express("create", "Product", {**LAMP, "sku": "L-2"})

        assert shop.express("count", "Product") == 2

    def test_every_kind_of_operation_joins(self, shop: Face) -> None:
        rows = [{"sku": f"A-{n}", "name": "Thing"} for n in range(3)]
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.express("bulk_create", "Product", rows)
            shop.express("upsert", "Product", LAMP, ["sku"])
            shop.express("bulk_upsert", "Product", [{**row, "stock": 2} for row in rows], conflict_on=["sku"])
            shop.express("bulk_upsert", "Product", [{**row, "stock": 3} for row in rows], conflict_on=["sku"])
            listed = shop.express("list", "Product")
            shop.express("bulk_update", "Product", [{"id": each["id"], "name": "New"} for each in listed])
            shop.express("bulk_delete", "Product", [listed[0]["id"]])
            assert shop.express("delete", "Product", listed[1]["id"]) is True
            assert shop.express("count", "Product", {"name": "New"}) == 2
            raise ZeroDivisionError

        assert shop.express("count", "Product") == 0

    def test_rows_that_are_refused_one_by_one_leave_the_others(self, shop: Face) -> None:
        with shop.transaction():
            done = shop.do("products.bulk_create", data=[LAMP, LAMP, {**LAMP, "sku": "L-2"}], atomic=False)

        assert (done["inserted"], done["failed"]) == (2, 1)
        assert shop.express("count", "Product") == 2

    def test_it_can_be_rolled_back_from_inside(self, shop: Face) -> None:
        with shop.transaction() as block:
            shop.express("create", "Product", LAMP)
            shop.roll_back(block)
            with pytest.raises(TransactionError, match="rolled back"):
                shop.express("create", "Product", LAMP)

        assert shop.express("count", "Product") == 0

    def test_an_outer_one_does_not_end_before_an_inner_one(self, shop: Face) -> None:
        with shop.transaction() as block, shop.transaction():
            with pytest.raises(TransactionError, match="nested"):
                shop.roll_back(block)
            shop.express("create", "Product", LAMP)

        assert shop.express("count", "Product") == 1

    def test_deeds_wait_for_the_outer_commit_and_those_of_what_is_undone_never_happen(self, shop: Face) -> None:
        told: list[str] = []
        with shop.transaction():
            self.tell(shop, told, "outer")
            with shop.transaction():
                self.tell(shop, told, "inner")
            with pytest.raises(ZeroDivisionError), shop.transaction():
                self.tell(shop, told, "undone")
                raise ZeroDivisionError
            assert told == []

        assert told == ["outer", "inner"]

    def test_a_database_of_somebody_else_is_not_part_of_it(self, shop: Face) -> None:
        elsewhere = Face(shop_at("sqlite:///:memory:"), blocking=True)
        with pytest.raises(ZeroDivisionError), shop.transaction():
            elsewhere.express("create", "Product", LAMP)
            raise ZeroDivisionError

        assert elsewhere.express("count", "Product") == 1
        elsewhere.close()

    def test_an_unknown_level_is_refused_with_the_closest_one(self, shop: Face) -> None:
        with pytest.raises(ConfigurationError, match="serializable"), shop.transaction("SERIALISABLE"):
            pass

    def test_a_nested_one_has_the_level_of_the_outer_one(self, shop: Face) -> None:
        with shop.transaction("REPEATABLE_READ"):
            with shop.transaction("read_committed"):
                shop.express("count", "Product")
            with pytest.raises(ConfigurationError, match="nested"), shop.transaction("SERIALIZABLE"):
                pass

    def test_a_model_is_declared_before_and_not_inside(self, shop: Face) -> None:
        with shop.transaction():
            shop.express("count", "Product")

            class Late:
                name: str

            shop.db.model(Late)
            with pytest.raises(TransactionError, match="declare"):
                shop.express("count", "Late")

    def tell(self, shop: Face, told: list[str], word: str) -> None:
        """Run a plan that asks for a deed after the commit."""

        def plan() -> Any:
            yield from after_commit(lambda: told.append(word))

        shop.join(plan())


class Tasks:
    """Of the asyncio face alone: what tasks, threads and cancellation do to a transaction."""

    @pytest.fixture
    async def db(self, url: str) -> AsyncIterator[DataFlow]:
        async with shop_at(url) as db:
            await db.create_tables_async()
            yield db

    async def test_child_tasks_share_the_transaction_one_statement_at_a_time(self, db: DataFlow) -> None:
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                rows = [{"sku": f"A-{n}", "name": "Thing"} for n in range(10)]
                await asyncio.gather(*[db.express.create("Product", row) for row in rows])
                assert await db.express.count("Product") == 10
                raise ZeroDivisionError

        assert await db.express.count("Product") == 0

    async def test_nested_transactions_of_two_tasks_do_not_mix(self, db: DataFlow) -> None:
        async def one(number: int) -> None:
            async with db.transaction():
                await db.express.create("Product", {"sku": f"A-{number}", "name": "Thing"})
                await asyncio.sleep(0)
                if number % 2:
                    raise ZeroDivisionError

        async with db.transaction():
            await asyncio.gather(*[one(number) for number in range(6)], return_exceptions=True)

        assert [row["sku"] for row in await db.express.list("Product")] == ["A-0", "A-2", "A-4"]

    async def test_a_task_that_outlives_the_transaction_is_refused(self, db: DataFlow) -> None:
        late = asyncio.Event()

        async def child() -> None:
            await late.wait()
            await db.express.create("Product", LAMP)

        async with db.transaction():
            task = asyncio.create_task(child())
        late.set()

        with pytest.raises(TransactionError, match="committed"):
            await task
        assert await db.express.count("Product") == 0

    async def test_other_tasks_are_not_part_of_it(self, db: DataFlow) -> None:
        begun, seen = asyncio.Event(), asyncio.Event()

        async def outsider() -> int:
            await begun.wait()
            count = await db.express.count("Product")
            seen.set()
            return count

        task = asyncio.create_task(outsider())
        async with db.transaction():
            await db.express.create("Product", LAMP)
            begun.set()
            await seen.wait()

        assert await task == 0

    async def test_cancelling_undoes_everything_and_the_connection_is_good_again(self, db: DataFlow) -> None:
        begun = asyncio.Event()

        async def work() -> None:
            async with db.transaction():
                await db.express.create("Product", LAMP)
                begun.set()
                await asyncio.sleep(60)

        for _ in range(3):
            begun.clear()
            task = asyncio.create_task(work())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        assert await db.express.count("Product") == 0
        await db.express.create("Product", LAMP)

    async def test_a_timeout_around_a_nested_one_ends_the_whole(self, db: DataFlow) -> None:
        with pytest.raises(TransactionError):
            async with db.transaction():
                await db.express.create("Product", LAMP)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01), db.transaction():
                        await asyncio.sleep(60)

        assert await db.express.count("Product") == 0

    async def test_cancelling_while_a_child_uses_the_connection_leaves_it_in_order(self, db: DataFlow) -> None:
        async def work() -> None:
            async with db.transaction():
                rows = [{"sku": f"A-{n}", "name": "Thing"} for n in range(50)]
                children.extend([asyncio.create_task(db.express.create("Product", row)) for row in rows])
                await asyncio.wait(children, return_when=asyncio.FIRST_COMPLETED)
                busy.set()
                await asyncio.sleep(60)

        busy = asyncio.Event()
        children: list[asyncio.Task[Any]] = []
        task = asyncio.create_task(work())
        await busy.wait()
        task.cancel()
        outcomes = await asyncio.gather(*children, task, return_exceptions=True)

        assert isinstance(outcomes[-1], asyncio.CancelledError)
        assert await db.express.count("Product") == 0

    async def test_a_thread_that_the_block_starts_joins_it(self, db: DataFlow) -> None:
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                await asyncio.to_thread(db.express_sync.create, "Product", LAMP)
                assert await db.express.count("Product") == 1
                raise ZeroDivisionError

        assert await db.express.count("Product") == 0

    async def test_a_blocking_call_on_the_loop_is_refused_instead_of_waiting_for_itself(self, db: DataFlow) -> None:
        with pytest.raises(TransactionError, match="under asyncio"):
            async with db.transaction():
                db.express_sync.create("Product", LAMP)

        with pytest.raises(TransactionError, match="under asyncio"):
            async with db.transaction():
                with db.transaction_sync():
                    pass

    async def test_a_coroutine_joins_a_blocking_transaction(self, db: DataFlow) -> None:
        with pytest.raises(ZeroDivisionError), db.transaction_sync():
            await db.express.create("Product", LAMP)
            assert await db.express.count("Product") == 1
            raise ZeroDivisionError

        assert await db.express.count("Product") == 0

    async def test_concurrent_transactions_of_two_tasks_both_count(self, db: DataFlow) -> None:
        record = await db.express.create("Product", LAMP)

        async def take() -> None:
            async with db.transaction():
                await db.express.update("Product", record["id"], {"stock": {"$dec": 1}})

        await asyncio.gather(*[take() for _ in range(5)])

        assert (await db.express.read("Product", record["id"]) or {})["stock"] == 0


class Threads:
    """Of the blocking face alone."""

    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        with shop_at(url) as db:
            db.prepare()
            yield db

    def test_a_thread_of_its_own_is_not_part_of_it(self, db: DataFlow) -> None:
        counts: list[int] = []
        with db.transaction_sync():
            db.express_sync.create("Product", LAMP)
            thread = threading.Thread(target=lambda: counts.append(db.express_sync.count("Product")))
            thread.start()
            thread.join()

        assert counts == [0]

    def test_transactions_of_many_threads_all_count(self, db: DataFlow) -> None:
        record = db.express_sync.create("Product", {**LAMP, "stock": 8})

        def take() -> None:
            with db.transaction_sync():
                db.express_sync.update("Product", record["id"], {"stock": {"$dec": 1}})

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (db.express_sync.read("Product", record["id"]) or {})["stock"] == 0


def level() -> str:
    """The isolation level that the database says the open transaction has."""

    def plan() -> Any:
        rows = yield from query(
            ("level",), lambda: select(func.current_setting("transaction_isolation").label("level")), {}
        )
        return rows.items[0]["level"]

    block = JOINED.get()
    assert block is not None
    found: str = block.run(plan())
    return found
