"""The block of a task: ``async with db.transaction():``.

Inside a blocking block, which is how a test isolates what it calls, it is a savepoint of that one, on threads.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self, TypeVar

from dataflow.effects import DataPlan
from dataflow.executors.atransaction import AsyncSavepoint, AsyncTransaction
from dataflow.executors.transaction import checked_isolation
from dataflow.transactions.block import Block
from dataflow.transactions.joined import JOINED, Home, Joined, ended, find, foreign, refuse_inner, refuse_level
from kailash._undo import Undoing

T = TypeVar("T")


class AsyncBlock:
    """Like `dataflow.transactions.block.Block`, on one event loop."""

    __slots__ = (
        "_blocking", "_cut", "_ended", "_lock", "_loop", "_outer", "_savepoint", "_transaction", "around", "home",
        "isolation",
    )  # fmt: skip

    def __init__(self, home: Home | None, isolation: str | None, around: Joined | None = None) -> None:
        """Do nothing yet. Raises: ConfigurationError for an isolation level that is not known."""
        self.home = home
        self.isolation = checked_isolation(isolation) if isolation else ""
        self.around = around
        self._outer: AsyncBlock | None = None
        self._transaction: AsyncTransaction | None = None
        self._savepoint: AsyncSavepoint | None = None
        self._blocking: Block | None = None  # which does the work, inside a blocking block
        self._lock = asyncio.Lock()  # of the connection: held for each plan, and by an inner block
        self._loop = _running()
        self._ended = ""
        self._cut = False  # cancelled while another task uses the connection, which then gives it back

    @property
    def started(self) -> bool:
        """Whether it holds a connection."""
        return self._transaction is not None or self._blocking is not None

    async def arun(self, plan: DataPlan[T]) -> T:
        """Run *plan* in it, which begins it at the first. Raises: TransactionError when it has ended."""
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise foreign()
        async with self._lock:
            transaction = await self._begun()
            if transaction is None:
                assert self._blocking is not None
                return await self._blocking.arun(plan)
            assert self.home is not None
            try:
                return await self.home.aio().run(plan, transaction)
            finally:
                if self._cut:
                    transaction.abandon()

    def run(self, plan: DataPlan[T]) -> T:
        """Run *plan* in it from another thread, blocking that thread."""
        if self._blocking is not None:
            return self._blocking.run(plan)
        if self._loop is None or self._loop is _running():
            raise foreign()
        return asyncio.run_coroutine_threadsafe(self.arun(plan), self._loop).result()

    async def start(self) -> None:
        """Begin."""
        async with self._lock:
            await self._begun()

    async def commit(self) -> None:
        """Keep what was done, as far as the outer block does. Raises: TransactionError when it has ended or failed."""
        async with self._lock:
            if self._ended:
                raise ended(self._ended)
            await self._end(keep=True)

    async def rollback(self) -> None:
        """Undo what was done, once. Raises: TransactionError while an inner block is open."""
        refuse_inner(self)
        async with self._lock:
            if not self._ended:
                await self._end(keep=False)

    def abandon(self) -> None:
        """Undo everything, the outer block included, without waiting: the task was cancelled."""
        if self._ended:
            return
        self._ended = "rolled back"
        if self._blocking is not None:
            self._blocking.rollback()
            self._leave()
        if self._transaction is None:
            return
        self._transaction.broken = self._transaction.broken or asyncio.CancelledError()
        if self._lock.locked():
            self._cut = True
        else:
            self._transaction.abandon()
        self._leave()

    async def __aenter__(self) -> Self:
        self.around = JOINED.get()
        await self.start()
        JOINED.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        JOINED.set(self.around)
        try:
            if kind is None:
                if not self._ended:
                    await self.commit()
            elif issubclass(kind, Exception):
                await self.rollback()
            else:
                self.abandon()
        except asyncio.CancelledError:
            self.abandon()
            raise

    async def _begun(self) -> AsyncTransaction | None:
        """Return its transaction; None where a blocking block does the work."""
        if self._ended:
            raise ended(self._ended)
        if not self.started:
            assert self.home is not None
            self._loop = asyncio.get_running_loop()
            outer = find(self.around, self.home)
            if outer is None:
                await self.home.aprepare()
                self._transaction = await self.home.aio().begin(self.isolation)
            else:
                refuse_level(self, outer)
                await self._mark(outer)
        return self._transaction

    async def _mark(self, outer: Joined) -> None:
        if isinstance(outer, Block):
            self._blocking = await _inside(outer, self)
            return
        assert isinstance(outer, AsyncBlock)
        await outer._lock.acquire()
        with Undoing(lambda: self._unmark(outer)):
            self._transaction = await outer._begun()
            if self._transaction is not None:
                self._savepoint = await self._transaction.savepoint()
            elif outer._blocking is not None:
                self._blocking = await _inside(outer._blocking, self)
        self._outer = outer

    def _unmark(self, outer: AsyncBlock) -> None:
        self._transaction = None
        outer._lock.release()

    async def _end(self, *, keep: bool) -> None:
        self._ended = "committed" if keep else "rolled back"
        what = self._savepoint or self._transaction
        try:
            with Undoing(self._fall):
                if self._blocking is not None:
                    await asyncio.to_thread(self._blocking.commit if keep else self._blocking.rollback)
                elif isinstance(what, AsyncSavepoint) and keep:
                    await what.release()
                elif isinstance(what, AsyncTransaction) and keep:
                    await what.commit()
                elif what is not None:
                    await what.rollback()
        except asyncio.CancelledError:
            if self._transaction is not None:
                self._transaction.abandon()
            raise
        finally:
            self._leave()

    def _fall(self) -> None:
        self._ended = "rolled back"

    def _leave(self) -> None:
        outer, self._outer = self._outer, None
        if outer is not None:
            outer._lock.release()
            if outer._cut and self._transaction is not None:
                self._transaction.abandon()


async def _inside(outer: Block, around: AsyncBlock) -> Block:
    """Return a block that has begun inside *outer*; the wait for other savepoints of it is a thread's."""
    block = Block(around.home, around.isolation, outer)
    beginning = asyncio.ensure_future(asyncio.to_thread(block.start))
    try:
        await asyncio.shield(beginning)
    except asyncio.CancelledError:
        beginning.add_done_callback(lambda done: None if done.cancelled() or done.exception() else block.rollback())
        raise
    return block


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
