"""SQLite under asyncio: short statements where the loop stands, transactions on one thread.

Rule 1: a statement of a file that commits by itself runs inline on a connection of the loop (`sqlite_inline`): a hop
        to a thread costs more than most statements. What would wait or takes long goes to a thread.
Rule 2: from a plan's first other effect on, the rest of the plan runs on the writer thread: one hop for each plan.
        What waits for the commit still happens on the loop.
Rule 3: a database in memory is one connection; a plan runs inline while it holds it, and there is no thread.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from dataflow.effects import AfterCommit, DataPlan, Load, Query, Repeat, Rows
from dataflow.executors.atransaction import AsyncSession, AsyncTransaction, aperform, asettle
from dataflow.executors.forks import after_fork
from dataflow.executors.pool import Pool, Pooled
from dataflow.executors.sqlite import Held, SqliteDatabase, SqliteSession
from dataflow.executors.sqlite_inline import Inline
from dataflow.executors.sqlite_writer import Writer
from dataflow.executors.transaction import Deed, checked_isolation, perform
from dataflow.loops import PerLoop
from kailash._undo import Undoing

T = TypeVar("T")
P = TypeVar("P", bound=Pooled)

THREADS: Final = 4  # for slow reads and explicit transactions; arbitrary: SQLite does not gain from more


class AsyncSqliteDatabase:
    """One SQLite database as event loops reach it."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.memory = database.memory
        self.shared = database
        self._writer = Writer(database)
        self._inline: PerLoop[Inline] = PerLoop(lambda loop: Inline(database))
        self._threads: ThreadPoolExecutor | None = None
        self._inherited: list[Any] = []
        after_fork(self)

    def forked(self) -> None:
        """Begin anew in a child process: no thread came along, and the connections are the parent's."""
        if not self.memory:
            self._inherited += [self._inline.abandon(), self._writer, self._threads]
        self._writer, self._threads = Writer(self._database), None

    async def run(self, plan: DataPlan[T], within: AsyncTransaction | None = None) -> T:
        """Run *plan* to its end and do what waited for its commit."""
        if within is not None:
            return await aperform(plan, self, within)
        if self.memory:
            return await self._run_inline(plan)
        deeds: list[Deed] = []  # of what committed by itself: they happen however the plan ends
        try:
            return await self._run_here(plan, deeds)
        finally:
            if deeds:
                await asettle(deeds)

    async def _run_here(self, plan: DataPlan[T], deeds: list[Deed]) -> T:
        inline = self._inline.current()
        try:
            effect = next(plan)
            while True:
                reply = None
                try:
                    if type(effect) is AfterCommit:
                        deeds.extend(effect.deeds)
                    elif type(effect) is not Query:
                        break
                    elif (reply := inline.answer(effect)) is None:
                        if effect.writes:
                            break
                        reply = await self.query(effect)
                except Exception as fault:  # noqa: BLE001 - as `drive`: the plan may catch what its question caused
                    effect = plan.throw(fault)
                else:
                    effect = plan.send(reply)
        except StopIteration as end:
            value: T = end.value
            return value
        except asyncio.CancelledError:
            plan.close()
            raise
        return await self._writer.do(plan, effect)

    # -- what a plan in an explicit transaction asks for, and slow reads: on threads ----------------------------

    async def query(self, effect: Query) -> Rows:
        """Run one statement that commits by itself."""
        return await self.on_thread(functools.partial(self._database.query, effect))

    async def load(self, effect: Load) -> int:
        """Store many records, all or none."""
        return await self.on_thread(functools.partial(self._database.load, effect))

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records, all or none."""
        return await self.on_thread(functools.partial(self._database.repeat, effect))

    async def begin(self, isolation: str) -> AsyncSession:
        """Take the turn to write and begin; SQLite's transactions are serializable whatever is asked for."""
        if isolation:
            checked_isolation(isolation)
        if self.memory:
            session = await _take(self._database.pool)
            session.command("BEGIN IMMEDIATE")
            return InlineSession(session)
        turn = await _take(self._database.turn)
        beginning = self.submit(self._database.begin_in_turn)
        with Undoing(lambda: self._leave(beginning, turn)):
            return ThreadSession(await asyncio.wrap_future(beginning), self)

    def end(self, session: AsyncSession) -> None:
        """Give back the connection and the turn; what is still open is rolled back first."""
        if isinstance(session, InlineSession):
            session.blocking.roll_back()
            self._database.put(session.blocking)
            return
        assert isinstance(session, ThreadSession)
        session.last.add_done_callback(lambda _: self._clear(session.blocking))  # at once when it is done

    async def aclose(self) -> None:
        """Close the connections and stop the threads."""
        await self._inline.aclose()
        self._stop()

    def close(self) -> None:
        """Close the connections and stop the threads."""
        self._inline.close()
        self._stop()

    def submit(self, act: Callable[[], T]) -> Future[T]:
        """Have *act* done on a thread."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dataflow-sqlite")
        return self._threads.submit(act)

    async def on_thread(self, act: Callable[[], T]) -> T:
        """Return what *act* returns on a thread."""
        return await asyncio.wrap_future(self.submit(act))

    async def _run_inline(self, plan: DataPlan[T]) -> T:
        session = await _take(self._database.pool)
        try:
            return perform(plan, Held(session))
        finally:
            self._database.put(session)

    def _leave(self, beginning: Future[SqliteSession], turn: Any) -> None:
        """Give back the turn: at once where nothing was begun, else when what was begun for nobody is over."""
        if beginning.cancelled() or (beginning.done() and beginning.exception() is not None):
            self._database.turn.give(turn)
        else:
            beginning.add_done_callback(self._begun_for_nobody)

    def _begun_for_nobody(self, beginning: Future[SqliteSession]) -> None:
        if beginning.exception() is None:
            self._clear(beginning.result())

    def _clear(self, session: SqliteSession) -> None:
        session.roll_back()
        self._database.end(session)

    def _stop(self) -> None:
        self._writer.stop()
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()


class InlineSession:
    """The connection of a database in memory, in an explicit transaction."""

    __slots__ = ("blocking",)

    def __init__(self, blocking: SqliteSession) -> None:
        self.blocking = blocking

    async def query(self, effect: Query) -> Rows:
        """Run one statement."""
        return self.blocking.query(effect)

    async def load(self, effect: Load) -> int:
        """Store many records."""
        return self.blocking.load(effect)

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records."""
        return self.blocking.repeat(effect)

    async def command(self, sql: str) -> None:
        """Run a statement of transaction control."""
        self.blocking.command(sql)

    async def finish(self) -> None:
        """Make ready for COMMIT."""
        self.blocking.finish()


class ThreadSession:
    """A connection of a file in an explicit transaction: each statement is a hop to a thread."""

    __slots__ = ("_database", "blocking", "last")

    def __init__(self, blocking: SqliteSession, database: AsyncSqliteDatabase) -> None:
        self.blocking = blocking
        self._database = database
        self.last: Future[Any] = Future()
        self.last.set_result(None)

    async def query(self, effect: Query) -> Rows:
        """Run one statement."""
        return await self._do(functools.partial(self.blocking.query, effect))

    async def load(self, effect: Load) -> int:
        """Store many records."""
        return await self._do(functools.partial(self.blocking.load, effect))

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records."""
        return await self._do(functools.partial(self.blocking.repeat, effect))

    async def command(self, sql: str) -> None:
        """Run a statement of transaction control."""
        await self._do(functools.partial(self.blocking.command, sql))

    async def finish(self) -> None:
        """Make ready for COMMIT."""
        await self._do(self.blocking.finish)

    async def _do(self, act: Callable[[], T]) -> T:
        future = self._database.submit(act)
        self.last = future
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self.blocking.connection.interrupt()
            raise


async def _take(pool: Pool[P]) -> P:
    """`Pool.take` for a task."""
    if not pool.waiting:
        one = pool.poll()
        if one is not None:
            return one
    waiter = pool.line_up()
    try:
        with Undoing(lambda: pool.leave(waiter)):
            async with asyncio.timeout(pool.timeout):
                granted = await asyncio.wrap_future(waiter)
    except TimeoutError:
        raise pool.exhausted() from None
    return pool.made(granted)
