"""`executors.transaction` with await: the rules there hold here.

Rule 5: a cancelled task waits for nothing. The connection it held is put in order in the background (`AsyncEngine.end`)
        before anybody else gets it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Iterable
from types import TracebackType
from typing import Any, Protocol, TypeVar, assert_never

from dataflow.effects import AfterCommit, Atomically, DataPlan, Effect, Errand, Load, Query, Repeat, Rows
from dataflow.errors import DatabaseError, TransactionError
from dataflow.executors.transaction import Deed, settle, unusable
from kailash._undo import Noting, Undoing
from kailash.plan import adrive

T = TypeVar("T")

log = logging.getLogger("dataflow")


class AsyncSession(Protocol):
    """One connection, held by one task. Every method raises our errors only."""

    async def query(self, effect: Query) -> Rows:
        """Run one statement."""
        ...

    async def load(self, effect: Load) -> int:
        """Store many records."""
        ...

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records."""
        ...

    async def command(self, sql: str) -> None:
        """Run a statement of transaction control."""
        ...

    async def finish(self) -> None:
        """Make ready for COMMIT."""
        ...


class AsyncEngine(Protocol):
    """One database, reached from event loops. Every method raises our errors only."""

    async def query(self, effect: Query) -> Rows:
        """Run one statement that commits by itself."""
        ...

    async def load(self, effect: Load) -> int:
        """Store many records, all or none."""
        ...

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records, all or none."""
        ...

    async def begin(self, isolation: str) -> AsyncSession:
        """Return a session inside a new transaction; *isolation* is empty for the database's default."""
        ...

    def end(self, session: AsyncSession) -> None:
        """Give back a session; one that is in doubt or still in a transaction is put in order first."""
        ...


class AsyncTransaction:
    """One transaction. As an async context manager it commits, or rolls back when the block raises."""

    __slots__ = ("_deeds", "_engine", "_marks", "_session", "broken")

    def __init__(self, engine: AsyncEngine, session: AsyncSession) -> None:
        """Take over *session*, which has begun."""
        self._engine = engine
        self._deeds: list[Deed] = []
        self._marks = 0
        self.broken: BaseException | None = None  # why it can only be rolled back
        self._session: AsyncSession | None = session

    @property
    def active(self) -> bool:
        """Whether it has neither been committed nor rolled back."""
        return self._session is not None

    @property
    def session(self) -> AsyncSession:
        """The connection that it holds. Raises: TransactionError when it has ended, or can only be rolled back."""
        if self._session is None or self.broken is not None:
            raise unusable(self.broken)
        return self._session

    async def query(self, effect: Query) -> Rows:
        """Run one statement in it."""
        if effect.guarded:
            async with await self.savepoint():
                return await self._done(self.session.query(effect))
        return await self._done(self.session.query(effect))

    async def load(self, effect: Load) -> int:
        """Store many records in it."""
        return await self._done(self.session.load(effect))

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records in it."""
        return await self._done(self.session.repeat(effect))

    async def command(self, sql: str) -> None:
        """Run a statement of transaction control in it."""
        await self._done(self.session.command(sql))

    async def _done(self, asked: Awaitable[T]) -> T:
        with Noting(self._broke):
            return await asked

    def _broke(self, fault: BaseException) -> None:
        self.broken = fault

    async def commit(self) -> None:
        """Make everything lasting, then do what waited for it."""
        ended = False
        try:
            session = self.session
            await session.finish()
            await session.command("COMMIT")
            ended = True
        finally:
            if not ended:
                await self._fail(sys.exception())
        self._session = None
        self._engine.end(session)
        await asettle(self._deeds)

    async def rollback(self) -> None:
        """Undo everything; nothing happens when it has ended already."""
        session, self._session = self._session, None
        if session is None:
            return
        self._deeds.clear()
        try:
            await session.command("ROLLBACK")
        except DatabaseError:
            log.debug("a transaction could not be rolled back; its connection is closed")
        finally:
            self._engine.end(session)

    def abandon(self) -> None:
        """Undo everything in the background: the task that held the connection was cancelled."""
        session, self._session = self._session, None
        self._deeds.clear()
        if session is not None:
            self._engine.end(session)

    async def savepoint(self) -> AsyncSavepoint:
        """Return a point to which the transaction can be taken back."""
        self._marks += 1
        name = f"mark_{self._marks}"
        await self.command(f"SAVEPOINT {name}")
        return AsyncSavepoint(self, name, len(self._deeds))

    async def take_back(self, mark: str, deeds: int) -> None:
        """Undo what was done since the savepoint *mark*, when *deeds* deeds waited; heal what was broken since."""
        if self._session is None:
            return
        try:
            await self._session.command(f"ROLLBACK TO SAVEPOINT {mark}")
            await self._session.command(f"RELEASE SAVEPOINT {mark}")
        except DatabaseError as fault:
            self.broken = fault
            log.debug("a transaction could not be taken back to its savepoint")
            return
        self.broken = None
        del self._deeds[deeds:]

    def after_commit(self, deeds: Iterable[Deed]) -> None:
        """Do *deeds* once it is committed."""
        self._deeds.extend(deeds)

    async def __aenter__(self) -> AsyncTransaction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            if self.active:
                await self.commit()
        else:
            await self._fail(fault)

    async def _fail(self, fault: BaseException | None) -> None:
        if isinstance(fault, Exception):
            await self.rollback()
        else:  # cancelled
            self.abandon()


class AsyncSavepoint:
    """A part of a transaction that can be undone by itself."""

    __slots__ = ("_deeds", "_name", "_transaction")

    def __init__(self, transaction: AsyncTransaction, name: str, deeds: int) -> None:
        self._transaction = transaction
        self._name = name
        self._deeds = deeds

    async def release(self) -> None:
        """Keep what was done since, as far as the transaction keeps it; what is broken is undone instead.

        Raises: TransactionError.
        """
        try:
            await self._transaction.command(f"RELEASE SAVEPOINT {self._name}")
        except TransactionError:
            await self.rollback()
            raise

    async def rollback(self) -> None:
        """Undo what was done since; nothing happens when the transaction has ended."""
        await self._transaction.take_back(self._name, self._deeds)

    async def __aenter__(self) -> AsyncSavepoint:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self.release()
        elif issubclass(kind, Exception):
            await self.rollback()
        else:
            self._transaction.abandon()


class AsyncWork:
    """The answers to one plan."""

    __slots__ = ("deeds", "engine", "savepoint", "transaction", "within")

    def __init__(self, engine: AsyncEngine, within: AsyncTransaction | None = None) -> None:
        self.engine = engine
        self.within = within  # a transaction that began before the plan and outlives it
        self.transaction = within
        self.savepoint: AsyncSavepoint | None = None
        self.deeds: list[Deed] = []

    async def answer(self, effect: Effect) -> Any:
        """Reply to *effect*."""
        target = self.engine if self.transaction is None else self.transaction
        match effect:
            case Query():
                return await target.query(effect)
            case Load():
                return await target.load(effect)
            case Repeat():
                return await target.repeat(effect)
            case Atomically():
                await self.enclose(savepoint=effect.savepoint)
            case AfterCommit():
                self.deeds.extend(effect.deeds)
            case _:
                assert_never(effect)
        return None

    async def enclose(self, *, savepoint: bool) -> None:
        """All that follows is one: a new transaction, or a savepoint of the one the plan runs in."""
        if self.transaction is None:
            self.transaction = AsyncTransaction(self.engine, await self.engine.begin(""))
        elif savepoint and self.within is not None and self.savepoint is None:
            self.savepoint = await self.within.savepoint()

    async def succeed(self) -> None:
        """The plan has returned."""
        if self.savepoint is not None:
            await self.savepoint.release()
        if self.transaction is None:
            return
        self.transaction.after_commit(self.deeds)
        self.deeds = []
        if self.within is None:
            await self.transaction.commit()

    async def fail(self) -> None:
        """The plan has raised. What committed by itself has happened: its deeds stay."""
        if self.transaction is None:
            return
        self.deeds = []
        if self.savepoint is not None:
            await self.savepoint.rollback()
        elif self.within is None:
            await self.transaction.rollback()

    def abandon(self) -> None:
        """The task was cancelled; an outer transaction is its owner's to end."""
        if self.transaction is not None:
            self.deeds = []
            if self.within is None:
                self.transaction.abandon()


async def aperform(plan: DataPlan[T], engine: AsyncEngine, within: AsyncTransaction | None = None) -> T:
    """Run *plan* to its end and do what waited for its commit."""
    work, ended = AsyncWork(engine, within), False
    try:
        value = await adrive(plan, work.answer)
        ended = True
    finally:
        if not ended and isinstance(sys.exception(), Exception):
            await work.fail()
            await asettle(work.deeds)
        elif not ended:  # cancelled
            work.abandon()
            leave(begun(work.deeds))
    if work.transaction is not None:
        await work.succeed()
    if work.deeds:
        await asettle(work.deeds)
    return value


async def asettle(deeds: Iterable[Deed]) -> None:
    """Do what waited for a commit, as `settle`."""
    await finish(begun(deeds))


def begun(deeds: Iterable[Deed]) -> list[Errand]:
    """Do what can be done where the loop stands; return the errands, which have begun."""
    errands = []
    for deed in deeds:
        if isinstance(deed, Errand):
            deed.begin()
            errands.append(deed)
        else:
            settle((deed,))
    return errands


async def finish(errands: list[Errand]) -> None:
    """Do *errands*; those that a cancelled task does not come to are done later."""
    while errands:
        with Undoing(lambda: leave(errands)):
            await errands[0].go()
        del errands[0]


def leave(errands: Iterable[Errand]) -> None:
    """Have *errands* done later."""
    for errand in errands:
        errand.leave()
