"""Loops that die, tasks that are cancelled, connections that are lost or all in use: on any database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dataflow.errors import DatabaseUnavailableError
from dataflow.executors.aio import AsyncExecutor
from suites.executors import Stand, add, skus, together


class Lives:
    """Fixtures."""

    @pytest.fixture
    def stand(self, url: str) -> Iterator[Stand]:
        made = Stand(url, "asyncio", pool_size=2, max_overflow=0, pool_timeout=20.0)
        made.make_tables()
        yield made
        made.close()


class Loops(Lives):
    def test_an_executor_outlives_the_loops_that_use_it(self, stand: Stand) -> None:
        async def whole(sku: str) -> Any:
            return await stand.aio.run(together(add(sku)))

        for sku in "abc":
            asyncio.run(whole(sku))

        assert stand.run(skus()) == ["a", "b", "c"]

    def test_a_loop_that_was_closed_without_a_word_does_not_spoil_the_next(self, stand: Stand) -> None:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(stand.aio.run(skus()))
        loop.close()

        assert stand.run(skus()) == []

    def test_loops_in_several_threads_share_an_executor(self, stand: Stand) -> None:
        async def several(name: str) -> None:
            for number in range(5):
                await stand.aio.run(add(f"{name}{number}"))
                await stand.aio.run(skus())

        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda name: asyncio.run(several(name)), "abc"))

        assert len(stand.run(skus())) == 15


class Crowds(Lives):
    def test_many_tasks_share_few_connections(self, stand: Stand) -> None:
        async def crowd() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(20):
                    group.create_task(_awaited(stand.aio, together(add(f"s{number:02}"))))
                    group.create_task(_awaited(stand.aio, skus()))

        stand.do(crowd)

        assert stand.run(skus()) == [f"s{number:02}" for number in range(20)]

    def test_many_threads_share_few_connections(self, stand: Stand) -> None:
        def work(name: int) -> None:
            for number in range(5):
                stand.sync.run(add(f"{name}-{number}"))
                stand.sync.run(skus())
                stand.sync.run(together(add(f"{name}-{number}-more")))

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(work, range(6)))

        assert len(stand.sync.run(skus())) == 60

    def test_both_faces_write_at_once(self, stand: Stand) -> None:
        blocking = threading.Thread(target=lambda: [stand.sync.run(together(add(f"b{n}"))) for n in range(10)])
        blocking.start()
        stand.do(lambda: _several(stand.aio, "a", 10))
        blocking.join()

        assert len(stand.run(skus())) == 20

    def test_a_task_that_waits_in_vain_for_a_connection_is_told_so(self, url: str) -> None:
        stand = Stand(url, "asyncio", pool_size=1, max_overflow=0, pool_timeout=0.2)
        stand.make_tables()

        async def whole() -> None:
            async with await stand.aio.begin() as transaction:
                await stand.aio.run(add("a"), transaction)
                with pytest.raises(DatabaseUnavailableError, match=r"became free in 0\.2 seconds"):
                    await stand.aio.begin()

        stand.do(whole)
        assert stand.run(skus()) == ["a"]
        stand.close()

    def test_a_thread_that_waits_in_vain_for_a_connection_is_told_so(self, url: str) -> None:
        stand = Stand(url, "blocking", pool_size=1, max_overflow=0, pool_timeout=0.2)
        stand.make_tables()

        with stand.sync.begin() as transaction:
            stand.sync.run(add("a"), transaction)
            with pytest.raises(DatabaseUnavailableError, match=r"became free in 0\.2 seconds"):
                stand.sync.begin()

        assert stand.run(skus()) == ["a"]
        stand.close()

    def test_a_transaction_waits_for_another_to_end(self, stand: Stand) -> None:
        async def whole() -> list[str]:
            first = await stand.aio.begin()
            await stand.aio.run(add("a"), first)
            second = asyncio.create_task(_awaited(stand.aio, together(add("b"))))
            await asyncio.sleep(0)
            await stand.aio.run(add("c"), first)
            await first.commit()
            await second
            found: list[str] = await stand.aio.run(skus())
            return found

        assert stand.do(whole) == ["a", "b", "c"]


class Cancellations(Lives):
    def test_a_cancelled_transaction_leaves_nothing(self, stand: Stand) -> None:
        async def whole() -> None:
            begun = asyncio.Event()

            async def cut_off() -> None:
                async with await stand.aio.begin() as transaction:
                    await stand.aio.run(add("a"), transaction)
                    begun.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(cut_off())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await stand.aio.run(together(add("b")))

        stand.do(whole)

        assert stand.run(skus()) == ["b"]

    def test_tasks_cancelled_anywhere_leave_whole_transactions_and_free_connections(self, stand: Stand) -> None:
        async def whole() -> None:
            for turns in range(12):  # each cancels a little later than the one before
                task = asyncio.create_task(_awaited(stand.aio, together(add(f"{turns:02}-1"), add(f"{turns:02}-2"))))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await stand.aio.run(together(add("end-1"), add("end-2")))

        stand.do(whole)

        found = stand.run(skus())
        assert len(found) % 2 == 0 and {"end-1", "end-2"} <= set(found)
        assert [sku[:2] for sku in found[0::2]] == [sku[:2] for sku in found[1::2]]

    def test_a_waiter_that_is_cancelled_takes_no_connection_with_it(self, url: str) -> None:
        stand = Stand(url, "asyncio", pool_size=1, max_overflow=0, pool_timeout=20.0)
        stand.make_tables()

        async def whole() -> None:
            held = await stand.aio.begin()
            waiters = [asyncio.create_task(stand.aio.begin()) for _ in range(3)]
            await asyncio.sleep(0)
            for waiter in waiters:
                waiter.cancel()
            await asyncio.gather(*waiters, return_exceptions=True)
            await held.rollback()
            await stand.aio.run(together(add("a")))

        stand.do(whole)
        assert stand.run(skus()) == ["a"]
        stand.close()


async def _awaited(executor: AsyncExecutor, plan: Any) -> Any:
    return await executor.run(plan)


async def _several(executor: AsyncExecutor, name: str, count: int) -> None:
    for number in range(count):
        await executor.run(together(add(f"{name}{number}")))
