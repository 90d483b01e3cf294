"""The blocking block: ``with db.transaction_sync():``."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self, TypeVar

from dataflow.effects import DataPlan
from dataflow.executors.transaction import Savepoint, Transaction, checked_isolation
from dataflow.transactions.joined import JOINED, Home, Joined, ended, find, foreign, refuse_inner, refuse_level
from kailash._standard import asyncio
from kailash._undo import Undoing

T = TypeVar("T")


class Block:
    """One transaction, or a savepoint of the one around it. As a context manager it is joined by what its body does."""

    __slots__ = ("_ended", "_lock", "_outer", "_savepoint", "_transaction", "around", "home", "isolation")

    def __init__(self, home: Home | None, isolation: str | None, around: Joined | None = None) -> None:
        """Do nothing yet. Raises: ConfigurationError for an isolation level that is not known."""
        self.home = home
        self.isolation = checked_isolation(isolation) if isolation else ""
        self.around = around
        self._outer: Block | None = None
        self._transaction: Transaction | None = None
        self._savepoint: Savepoint | None = None
        self._lock = threading.Lock()  # of the connection: held for each plan, and by an inner block
        self._ended = ""

    @property
    def started(self) -> bool:
        """Whether it holds a connection."""
        return self._transaction is not None

    def run(self, plan: DataPlan[T]) -> T:
        """Run *plan* in it, which begins it at the first. Raises: TransactionError when it has ended."""
        with self._lock:
            transaction = self._begun()
            assert self.home is not None
            return self.home.sync().run(plan, transaction)

    async def arun(self, plan: DataPlan[T]) -> T:
        """Like `run`, in a thread: for coroutines that a blocking program drives."""
        return await asyncio.to_thread(self.run, plan)

    def start(self) -> None:
        """Begin."""
        with self._lock:
            self._begun()

    def commit(self) -> None:
        """Keep what was done, as far as the outer block does. Raises: TransactionError when it has ended or failed."""
        with self._lock:
            if self._ended:
                raise ended(self._ended)
            self._end("committed", keep=True)

    def rollback(self) -> None:
        """Undo what was done, once. Raises: TransactionError while an inner block is open."""
        refuse_inner(self)
        with self._lock:
            if not self._ended:
                self._end("rolled back", keep=False)

    def __enter__(self) -> Self:
        self.around = JOINED.get()
        self.start()
        JOINED.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        JOINED.set(self.around)
        if kind is not None:
            self.rollback()
        elif not self._ended:
            self.commit()

    def _begun(self) -> Transaction:
        if self._ended:
            raise ended(self._ended)
        if self._transaction is None:
            assert self.home is not None
            outer = find(self.around, self.home)
            if outer is None:
                self.home.prepare()
                self._transaction = self.home.sync().begin(self.isolation)
            else:
                refuse_level(self, outer)
                self._mark(outer)
        assert self._transaction is not None
        return self._transaction

    def _mark(self, outer: Joined) -> None:
        if not isinstance(outer, Block):
            raise foreign()
        outer._lock.acquire()
        with Undoing(lambda: self._unmark(outer)):
            self._transaction = outer._begun()
            self._savepoint = self._transaction.savepoint()
        self._outer = outer

    def _unmark(self, outer: Block) -> None:
        self._transaction = None
        outer._lock.release()

    def _end(self, how: str, *, keep: bool) -> None:
        self._ended = how if keep else "rolled back"
        what = self._savepoint or self._transaction
        try:
            with Undoing(self._fall):
                if isinstance(what, Savepoint) and keep:
                    what.release()
                elif isinstance(what, Transaction) and keep:
                    what.commit()
                elif what is not None:
                    what.rollback()
        finally:
            if self._outer is not None:
                self._outer._lock.release()

    def _fall(self) -> None:
        self._ended = "rolled back"
