"""Answers that processes share in Redis: as fresh as the last commit of any of them, whatever becomes of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.operations import values as ops
from kailash.errors import ConfigurationError
from redis_server import RedisServer
from suites.faces import Face, Facing

KEY = "00" * 32
QUESTION = ops.Count("Product")


def shop(url: str, server: RedisServer, **options: Any) -> DataFlow:
    """A program, which keeps its answers on *server*."""
    db = DataFlow(url, cache_enabled=True, cache_url=server.url, **options)

    @db.model
    class Product:
        name: str
        tags: list[str] = []

    return db


class Shared:
    """Two programs of one database; a test asks the one by either face, and the other blocking."""

    @pytest.fixture
    def face(self, url: str, redis_server: RedisServer, faced: Facing) -> Face:
        return faced(shop(url, redis_server))

    @pytest.fixture
    def other(self, url: str, redis_server: RedisServer) -> Iterator[DataFlow]:
        with shop(url, redis_server) as db:
            yield db

    def test_one_program_is_served_what_another_asked(self, face: Face, other: DataFlow) -> None:
        face.do("products.create", name="Lamp", tags=["a", "b"])
        listed = face.do("products.list")

        assert other.express_sync.list("Product") == listed["records"]
        assert (other.cache.hits, other.cache.misses) == (1, 0)

    def test_what_one_program_writes_the_other_reads_at_once(self, face: Face, other: DataFlow) -> None:
        for number in range(10):
            face.do("products.create", name="ours")
            assert other.express_sync.count("Product") == 2 * number + 1
            other.express_sync.create("Product", {"name": "theirs"})
            assert face.do("products.count") == {"count": 2 * number + 2}
        with face.transaction():
            face.do("products.create", name="kept")
        assert other.express_sync.count("Product") == 21

    def test_an_undone_write_makes_nothing_old(self, face: Face) -> None:
        face.do("products.create", name="Lamp")
        face.do("products.count")
        with pytest.raises(ZeroDivisionError), face.transaction():
            face.do("products.create", name="undone")
            raise ZeroDivisionError

        assert face.do("products.count") == {"count": 1}
        assert face.db.cache.hits == 1

    def test_redis_that_dies_in_the_middle_is_slower_and_not_wrong(
        self, face: Face, other: DataFlow, redis_server: RedisServer
    ) -> None:
        """Lesson 3's kin: what a dead server remembers is never an answer."""
        face.do("products.create", name="1")
        assert face.do("products.count") == face.do("products.count") == {"count": 1}
        redis_server.save()
        redis_server.kill()
        face.do("products.create", name="2")
        assert face.do("products.count") == {"count": 2}
        assert other.express_sync.count("Product") == 2
        redis_server.start()

        face.do("products.create", name="3")

        assert face.do("products.count") == {"count": 3}
        assert other.express_sync.count("Product") == 3

    def test_what_was_kept_before_a_server_died_is_not_looked_at_when_it_is_back(
        self, face: Face, url: str, redis_server: RedisServer
    ) -> None:
        """It comes back as it was saved: with the answers, and without the writes that it never heard of."""
        face.do("products.create", name="1")
        face.do("products.count")
        redis_server.save()
        face.do("products.create", name="2")
        redis_server.kill()
        redis_server.start()

        with shop(url, redis_server) as fresh:
            assert fresh.express_sync.count("Product") == 2

    def test_without_a_server_a_program_does_its_work(self, url: str, redis_server: RedisServer) -> None:
        redis_server.kill()
        with shop(url, redis_server) as db:
            db.express_sync.create("Product", {"name": "Lamp"})
            assert db.express_sync.count("Product") == 1

    def test_a_write_that_the_server_did_not_hear_of_is_made_known_later(
        self, face: Face, other: DataFlow, redis_server: RedisServer
    ) -> None:
        face.do("products.create", name="1")
        other.express_sync.count("Product")
        redis_server.kill()
        face.do("products.create", name="2")
        redis_server.start()
        face.db.close()  # pays what is owed

        assert other.express_sync.count("Product") == 2

    def test_a_slow_read_cannot_keep_an_answer_from_before_a_write(self, face: Face, other: DataFlow) -> None:
        face.do("products.create", name="Lamp")
        face.db.prepare()
        cache = face.db.models["Product"].cache

        def slow() -> int:
            other.express_sync.create("Product", {"name": "Torch"})  # commits while the read is under way
            return 1

        assert cache.read(QUESTION, None, slow) == 1
        assert cache.read(QUESTION, None, lambda: 2) == 2

    def test_two_hundred_tasks_that_ask_the_same_at_once_ask_once(self, url: str, redis_server: RedisServer) -> None:
        loads = []

        async def ask(db: DataFlow) -> set[Any]:
            async def load() -> Any:
                loads.append(1)
                return await asyncio.to_thread(db.express_sync.count, "Product")

            cache = db.models["Product"].cache
            try:
                return {*await asyncio.gather(*[cache.aread(QUESTION, None, load) for _ in range(200)])}
            finally:
                await db.close_async()

        with shop(url, redis_server) as db:
            db.express_sync.create("Product", {"name": "Lamp"})

            assert asyncio.run(ask(db)) == {1}
            assert len(loads) == 1

    def test_threads_that_ask_the_same_at_once_ask_the_database_once(self, url: str, redis_server: RedisServer) -> None:
        with shop(url, redis_server) as db, ThreadPoolExecutor(16) as threads:
            db.express_sync.create("Product", {"name": "Lamp"})
            cache, loads = db.models["Product"].cache, []

            def load() -> int:
                loads.append(1)
                return 1

            asked = [threads.submit(cache.read, QUESTION, None, load) for _ in range(200)]

            assert {each.result(20) for each in asked} == {1}
            assert len(loads) == 1

    def test_two_databases_on_one_server_share_nothing(
        self, face: Face, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        """Lesson 3: a cache shared between two databases."""
        face.do("products.create", name="Lamp")
        face.do("products.count")
        with shop(f"sqlite:///{tmp_path / 'another.db'}", redis_server) as another:
            assert another.express_sync.count("Product") == 0

    def test_two_tenants_share_nothing(self, url: str, redis_server: RedisServer) -> None:
        """Lesson 3: a cache shared between two tenants."""
        with shop(url, redis_server, multi_tenant=True) as db:
            count = db.express_sync.count
            with db.tenant("acme"):
                db.express_sync.create("Product", {"name": "Lamp"})
                assert count("Product") == count("Product") == 1
            with db.tenant("globex"):
                assert count("Product") == 0
                db.express_sync.create("Product", {"name": "Torch"})
            hits = db.cache.hits
            with db.tenant("acme"):
                assert count("Product") == 1
            assert db.cache.hits == hits + 1  # what globex wrote made nothing of acme's old
            with db.all_tenants(reason="a test"):
                assert count("Product") == count("Product") == 2
                db.express_sync.bulk_update("Product", [{"id": 1, "name": "Torch"}])
            with db.tenant("acme"):
                assert db.express_sync.count("Product", {"name": "Lamp"}) == 0

    def test_programs_whose_models_differ_share_no_answers(
        self, face: Face, url: str, redis_server: RedisServer
    ) -> None:
        face.do("products.create", name="Lamp")
        face.do("products.list")
        with DataFlow(url, cache_enabled=True, cache_url=redis_server.url) as newer:

            @newer.model
            class Product:
                name: str
                tags: list[str] = []
                stock: int = 7

            assert newer.express_sync.list("Product")[0]["stock"] == 7

    def test_an_encrypted_database_keeps_nothing_in_clear(
        self, url: str, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        with DataFlow(url, cache_enabled=True, cache_url=redis_server.url, encryption_key=KEY) as db:

            @db.model
            class Patient:
                name: str

                __dataflow__ = {"encrypted": ["name"]}

            db.express_sync.create("Patient", {"name": "Wilhelmina"})
            listed = [db.express_sync.list("Patient") for _ in range(2)]
            redis_server.save()

            assert listed[0] == listed[1] and db.cache.hits == 1
        assert b"Wilhelmina" not in redis_server.saved()

    @pytest.mark.parametrize("spoilt", [b"", b"x", b"\xc1" * 40, b"0" * 16 + b"\xc1"])
    def test_what_somebody_else_put_there_is_no_answer(
        self, face: Face, redis_server: RedisServer, spoilt: bytes
    ) -> None:
        face.do("products.create", name="Lamp")
        face.do("products.list")
        redis_server.spoil(spoilt)

        assert [each["name"] for each in face.do("products.list")["records"]] == ["Lamp"]

    def test_a_url_of_something_else_is_refused(self, url: str) -> None:
        db = DataFlow(url, cache_enabled=True, cache_url="http://secret@host")

        @db.model
        class Product:
            name: str

        with pytest.raises(ConfigurationError, match="cache_url") as refused:
            db.prepare()
        assert "secret" not in str(refused.value)
        db.close()
