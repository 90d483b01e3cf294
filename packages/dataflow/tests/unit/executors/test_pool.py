"""The pool for threads, without a database."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dataflow.errors import DatabaseUnavailableError
from dataflow.executors.pool import Pool, PoolOptions


class Thing:
    def __init__(self, number: int) -> None:
        self.number = number
        self.born = self.freed = float("inf")
        self.good = True
        self.closed = False

    def usable(self) -> bool:
        return self.good

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made() -> list[Thing]:
    return []


@pytest.fixture
def pool(made: list[Thing]) -> Pool[Thing]:
    return Pool(maker(made), PoolOptions(pool_size=1, max_overflow=1, pool_timeout=0.01))


def maker(made: list[Thing]) -> Callable[[], Thing]:
    def make() -> Thing:
        made.append(Thing(len(made)))
        return made[-1]

    return make


def test_the_last_one_given_back_is_the_next_one_taken(pool: Pool[Thing]) -> None:
    first, second = pool.take(), pool.take()
    pool.give(first)
    pool.give(second)

    assert (pool.take(), pool.take(), pool.size) == (second, first, 2)


def test_nobody_takes_more_than_the_limit(pool: Pool[Thing]) -> None:
    pool.take()
    pool.take()

    with pytest.raises(DatabaseUnavailableError, match="all 2 are in use"):
        pool.take()
    assert not pool.waiting


def test_one_that_is_not_usable_is_replaced(pool: Pool[Thing], made: list[Thing]) -> None:
    first = pool.take()
    first.good = False
    pool.give(first)

    assert pool.take() is made[1]
    assert (first.closed, pool.size) == (True, 1)


def test_a_failure_to_make_one_leaves_its_place_free(made: list[Thing]) -> None:
    broken = [True]

    def make() -> Thing:
        if broken.pop() if broken else False:
            raise DatabaseUnavailableError("not now")
        return Thing(0)

    pool = Pool(make, PoolOptions(pool_size=1, max_overflow=0, pool_timeout=0.01))

    with pytest.raises(DatabaseUnavailableError, match="not now"):
        pool.take()
    assert (pool.take().number, pool.size) == (0, 1)


def test_waiters_are_served_in_order(made: list[Thing]) -> None:
    pool = Pool(maker(made), PoolOptions(pool_size=1, max_overflow=0))
    held = pool.take()
    first, second = pool.line_up(), pool.line_up()

    pool.give(held)
    assert first.result(0) is held and not second.done()
    pool.drop(held)
    assert second.result(0) is None  # it may make another
    assert pool.made(None) is made[1]


def test_what_a_waiter_does_not_want_goes_to_the_next(made: list[Thing]) -> None:
    pool = Pool(maker(made), PoolOptions(pool_size=1, max_overflow=0))
    held = pool.take()
    gone, first, second = pool.line_up(), pool.line_up(), pool.line_up()
    gone.cancel()

    pool.give(held)
    pool.leave(first)

    assert second.result(0) is held


def test_a_close_ends_what_is_idle_and_later_what_is_held(made: list[Thing]) -> None:
    pool = Pool(maker(made), PoolOptions(pool_size=2))
    held, idle = pool.take(), pool.take()
    held.born = idle.born = 0.0
    pool.give(idle)

    pool.close()
    pool.give(held)

    assert (idle.closed, held.closed, pool.size) == (True, True, 0)
    assert pool.take() is made[2]


def test_a_crowd_of_threads_never_holds_more_than_the_limit(made: list[Thing]) -> None:
    pool = Pool(maker(made), PoolOptions(pool_size=2, max_overflow=1))
    held, most, lock = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(200):
            thing = pool.take()
            with lock:
                held[0] += 1
                most[0] = max(most[0], held[0])
            with lock:
                held[0] -= 1
            pool.give(thing)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most[0] <= 3 and pool.size <= 3 and pool.idle == pool.size
