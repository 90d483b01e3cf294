"""Kept answers: as fresh as the last commit of this process, and nobody else's; on any database, by either face."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, ForeignKey
from dataflow.errors import DataFlowError
from dataflow.operations import values as ops
from suites.faces import Face, Facing

QUESTION = ops.Count("Product")


class Shop:
    """Fixtures: a cached shop, and a database that counts what it is really asked."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        return faced(self.database(url))

    def database(self, url: str, **options: Any) -> DataFlow:
        db = DataFlow(url, cache_enabled=True, **options)

        @db.model
        class Category:
            name: str

        @db.model
        class Product:
            name: str
            category_id: Annotated[int | None, ForeignKey("Category.id", on_delete="set null")] = None
            tags: list[str] = []

        @db.model
        class Visit:
            page: str

            __dataflow__ = {"cache": False}

        return db

    def behind(self, url: str, sql: str) -> None:
        """Change the database as another program would."""
        with DataFlow(url, auto_migrate=False) as other, other.connection() as connection:
            connection.ask(sql)


class Kept(Shop):
    @pytest.mark.parametrize(
        ("what", "inputs"),
        [
            ("read", {"id": 1}),
            ("read", {"filter": {"name": "Lamp"}}),
            ("list", {"filter": {"name__in": ["Lamp"]}, "sort": "-name"}),
            ("count", {"filter": {"name": "Lamp"}}),
            ("aggregate", {"group_by": ["name"], "count": True}),
        ],
    )
    def test_a_second_question_does_not_reach_the_database(self, shop: Face, what: str, inputs: dict[str, Any]) -> None:
        shop.do("products.create", name="Lamp")
        shop.db.catch_up()
        first = shop.do(f"products.{what}", inputs)

        assert shop.do(f"products.{what}", inputs) == first
        assert (shop.db.cache.hits, shop.db.cache.misses) == (1, 1)

    def test_a_write_makes_the_answers_of_its_model_old(self, shop: Face) -> None:
        shop.do("products.create", name="Lamp")
        shop.do("products.list")

        shop.do("products.update", id=1, name="Torch")

        assert shop.do("products.list")["records"][0]["name"] == "Torch"

    def test_what_a_foreign_key_changes_is_made_old_too(self, shop: Face) -> None:
        shop.do("categories.create", name="Light")
        shop.do("products.create", name="Lamp", category_id=1)
        shop.do("products.list")

        shop.do("categories.delete", id=1)

        assert shop.do("products.list")["records"][0]["category_id"] is None

    def test_a_reader_may_do_what_it_likes_with_its_answer(self, shop: Face) -> None:
        shop.do("products.create", name="Lamp", tags=["a"])
        for _ in range(3):
            (record,) = shop.do("products.list")["records"]
            assert record["tags"] == ["a"] and record["name"] == "Lamp"
            record["tags"].append("b")
            record["name"] = "changed"

    def test_a_transaction_sees_its_own_writes_and_nobody_else_does(self, shop: Face) -> None:
        shop.do("products.create", name="Lamp")
        shop.do("products.count")
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.do("products.create", name="Torch")
            assert shop.do("products.count") == {"count": 2}
            raise ZeroDivisionError

        assert shop.do("products.count") == {"count": 1}
        with shop.transaction():
            shop.do("products.create", name="Torch")
        assert shop.do("products.count") == {"count": 2}

    def test_a_model_that_says_no_is_not_cached(self, shop: Face) -> None:
        shop.do("visits.create", page="/")
        for _ in range(2):
            shop.do("visits.count")

        assert (shop.db.cache.hits, shop.db.cache.misses) == (0, 0)

    def test_two_databases_of_a_process_share_nothing(self, shop: Face) -> None:
        """Lesson 3: a cache shared between two databases."""
        shop.do("products.create", name="Lamp")
        shop.do("products.count")
        with self.database("sqlite:///:memory:") as other:
            assert other.express_sync.count("Product") == 0

    def test_an_answer_is_kept_for_its_time_and_no_longer(self, url: str) -> None:
        now = [0.0]
        with self.database(url, cache_ttl=10) as db:
            db.cache.clock = lambda: now[0]
            db.express_sync.create("Product", {"name": "Lamp"})
            db.catch_up()
            for moment in (0.0, 9.9, 10.1):
                now[0] = moment
                db.express_sync.count("Product")

            assert (db.cache.hits, db.cache.misses) == (1, 2)

    def test_what_others_commit_is_known_before_the_next_answer(self, shop: Face, url: str) -> None:
        shop.do("products.create", name="Lamp")
        shop.do("products.list")
        self.behind(url, "UPDATE products SET name = 'Torch'")

        assert shop.db.catch_up()
        assert shop.do("products.list")["records"][0]["name"] == "Torch"

    def test_two_programs_read_what_the_other_wrote(self, shop: Face, url: str) -> None:
        with self.database(url) as other:
            for number in range(5):
                shop.do("products.create", name="ours")
                other.catch_up()
                assert other.express_sync.count("Product") == 2 * number + 1
                other.express_sync.create("Product", {"name": "theirs"})
                shop.db.catch_up()
                assert shop.do("products.count") == {"count": 2 * number + 2}

    def test_a_database_that_was_closed_keeps_answers_again(self, shop: Face) -> None:
        shop.do("products.create", name="Lamp")
        shop.do("products.count")
        shop.db.close()
        shop.do("products.create", name="Torch")

        assert shop.db.catch_up()
        assert [shop.do("products.count") for _ in range(3)] == [{"count": 2}] * 3
        assert shop.db.cache.hits >= 2

    @given(data=st.data())
    def test_a_cached_database_answers_as_one_that_is_not(self, shop: Face, data: st.DataObject) -> None:
        """Whatever is written, each read is what the database says."""
        names = st.sampled_from(["a", "b", "c"])
        for _ in range(data.draw(st.integers(1, 8))):
            name, inside = data.draw(names), data.draw(st.booleans())
            writes: list[tuple[str, dict[str, Any]]] = [
                ("create", {"name": name}),
                ("bulk_create", {"data": [{"name": name}] * 2}),
                ("bulk_create", {"data": [{"name": name}, {"name": name}], "atomic": False}),
                ("bulk_update", {"filter": {"name": name}, "update": {"name": data.draw(names)}}),
                ("bulk_delete", {"filter": {"name": name}}),
                ("delete", {"filter": {"name": name}}),
            ]
            write, inputs = data.draw(st.sampled_from(writes))
            try:
                if inside:
                    with shop.transaction():
                        shop.do(f"products.{write}", inputs)
                else:
                    shop.do(f"products.{write}", inputs)
            except DataFlowError:
                pass
            kept = [shop.do("products.list", limit=None), shop.do("products.count", filter={"name": name})]
            with shop.transaction():
                truth = [shop.do("products.list", limit=None), shop.do("products.count", filter={"name": name})]
            assert kept == truth


class Stampede(Shop):
    def test_two_hundred_tasks_that_ask_the_same_at_once_ask_once(self, url: str) -> None:
        loads = []

        async def ask(db: DataFlow) -> set[Any]:
            async def load() -> Any:
                loads.append(1)
                return await db.express.count("Visit")

            cache = db.models["Product"].cache
            return {*await asyncio.gather(*[cache.aread(QUESTION, None, load) for _ in range(200)])}

        with self.database(url) as db:
            db.express_sync.create("Visit", {"page": "/"})

            assert asyncio.run(ask(db)) == {1}
            assert loads == [1]

    def test_threads_that_ask_the_same_at_once_ask_once(self, url: str) -> None:
        with self.database(url) as db, ThreadPoolExecutor(8) as threads:
            db.prepare()
            together, loads = threading.Barrier(8), []

            def load() -> int:
                loads.append(1)
                return 7

            def ask() -> Any:
                together.wait(10)
                return db.models["Product"].cache.read(QUESTION, None, load)

            asked = [threads.submit(ask) for _ in range(8)]

            assert {each.result(10) for each in asked} == {7}
            assert len(loads) == 1

    def test_a_slow_read_cannot_keep_an_answer_from_before_a_write(self, url: str) -> None:
        with self.database(url) as db:
            db.express_sync.create("Product", {"name": "Lamp"})
            cache = db.models["Product"].cache

            def slow() -> Any:
                old = 1
                db.express_sync.create("Product", {"name": "Torch"})  # commits while the read is under way
                return old

            assert cache.read(QUESTION, None, slow) == 1
            assert cache.read(QUESTION, None, lambda: 2) == 2

    def test_who_waited_for_a_question_that_failed_asks_for_itself(self, url: str) -> None:
        with self.database(url) as db:
            db.prepare()
            cache = db.models["Product"].cache
            with pytest.raises(ZeroDivisionError):
                cache.read(QUESTION, None, lambda: 1 // 0)

            assert cache.read(QUESTION, None, lambda: 3) == 3
