"""Answering a data plan on blocking connections: statements by themselves, or in one transaction.

Rule 1: a plan that never asks for `Atomically` never meets this module's `Transaction`; each of its statements takes
        a connection, commits by itself and gives the connection back.
Rule 2: however a transaction ends, its connection is given back outside any transaction, or closed.
Rule 3: what waits for the commit happens once it is done and the connection is given back, or never.
Rule 4: a transaction in which a statement failed takes no other, and cannot be committed, whatever the database would
        say to that (SQLite goes on, PostgreSQL does not); taking it back to a savepoint heals it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar, assert_never

from dataflow.effects import AfterCommit, Atomically, DataPlan, Effect, Load, Query, Repeat, Rows
from dataflow.errors import DatabaseError, TransactionError
from kailash._undo import Noting, Undoing
from kailash.errors import ConfigurationError, KailashError, did_you_mean
from kailash.plan import drive, proceed

E = TypeVar("E")
T = TypeVar("T")
Deed = Callable[[], None]

ISOLATION: Final = {
    "read committed": "READ COMMITTED",
    "repeatable read": "REPEATABLE READ",
    "serializable": "SERIALIZABLE",
}

log = logging.getLogger("dataflow")


class Session(Protocol):
    """One blocking connection, held by one user. Every method raises our errors only."""

    def query(self, effect: Query) -> Rows:
        """Run one statement."""
        ...

    def load(self, effect: Load) -> int:
        """Store many records."""
        ...

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records."""
        ...

    def command(self, sql: str) -> None:
        """Run a statement of transaction control."""
        ...

    def finish(self) -> None:
        """Make ready for COMMIT."""
        ...


class Engine(Protocol):
    """One database, reached by blocking connections. Every method raises our errors only."""

    def query(self, effect: Query) -> Rows:
        """Run one statement that commits by itself."""
        ...

    def load(self, effect: Load) -> int:
        """Store many records, all or none."""
        ...

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records, all or none."""
        ...

    def begin(self, isolation: str) -> Session:
        """Return a session inside a new transaction; *isolation* is empty for the database's default."""
        ...

    def end(self, session: Session) -> None:
        """Give back a session that has left its transaction; one that has not is closed."""
        ...


class Transaction:
    """One transaction. As a context manager it commits, or rolls back when the block raises."""

    __slots__ = ("_deeds", "_engine", "_marks", "_session", "broken")

    def __init__(self, engine: Engine, isolation: str = "") -> None:
        self._engine = engine
        self._deeds: list[Deed] = []
        self._marks = 0
        self.broken: BaseException | None = None  # why it can only be rolled back
        self._session: Session | None = engine.begin(isolation)

    @property
    def active(self) -> bool:
        """Whether it has neither been committed nor rolled back."""
        return self._session is not None

    @property
    def session(self) -> Session:
        """The connection that it holds. Raises: TransactionError when it has ended, or can only be rolled back."""
        if self._session is None or self.broken is not None:
            raise unusable(self.broken)
        return self._session

    def query(self, effect: Query) -> Rows:
        """Run one statement in it."""
        if effect.guarded:
            with self.savepoint():
                return self._do(self.session.query, effect)
        return self._do(self.session.query, effect)

    def load(self, effect: Load) -> int:
        """Store many records in it."""
        return self._do(self.session.load, effect)

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records in it."""
        return self._do(self.session.repeat, effect)

    def command(self, sql: str) -> None:
        """Run a statement of transaction control in it."""
        self._do(self.session.command, sql)

    def _do(self, ask: Callable[[E], T], effect: E) -> T:
        with Noting(self._broke):
            return ask(effect)

    def _broke(self, fault: BaseException) -> None:
        self.broken = fault

    def commit(self) -> None:
        """Make everything lasting, then do what waited for it."""
        with Undoing(self.rollback):
            session = self.session
            session.finish()
            session.command("COMMIT")
        self._session = None
        self._engine.end(session)
        settle(self._deeds)

    def rollback(self) -> None:
        """Undo everything; nothing happens when it has ended already."""
        session, self._session = self._session, None
        if session is None:
            return
        self._deeds.clear()
        try:
            session.command("ROLLBACK")
        except DatabaseError:
            log.debug("a transaction could not be rolled back; its connection is closed")
        finally:
            self._engine.end(session)

    def savepoint(self) -> Savepoint:
        """Return a point to which the transaction can be taken back."""
        self._marks += 1
        return Savepoint(self, f"mark_{self._marks}", len(self._deeds))

    def take_back(self, mark: str, deeds: int) -> None:
        """Undo what was done since the savepoint *mark*, when *deeds* deeds waited; heal what was broken since."""
        if self._session is None:
            return
        try:
            self._session.command(f"ROLLBACK TO SAVEPOINT {mark}")
            self._session.command(f"RELEASE SAVEPOINT {mark}")
        except DatabaseError as fault:
            self.broken = fault
            log.debug("a transaction could not be taken back to its savepoint")
            return
        self.broken = None
        del self._deeds[deeds:]

    def after_commit(self, deeds: Iterable[Deed]) -> None:
        """Do *deeds* once it is committed."""
        self._deeds.extend(deeds)

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            if self.active:
                self.commit()
        else:
            self.rollback()


class Savepoint:
    """A part of a transaction that can be undone by itself."""

    __slots__ = ("_deeds", "_name", "_transaction")

    def __init__(self, transaction: Transaction, name: str, deeds: int) -> None:
        self._transaction = transaction
        self._name = name
        self._deeds = deeds
        transaction.command(f"SAVEPOINT {name}")

    def release(self) -> None:
        """Keep what was done since, as far as the transaction keeps it; what is broken is undone instead.

        Raises: TransactionError.
        """
        try:
            self._transaction.command(f"RELEASE SAVEPOINT {self._name}")
        except TransactionError:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Undo what was done since; nothing happens when the transaction has ended."""
        self._transaction.take_back(self._name, self._deeds)

    def __enter__(self) -> Savepoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.rollback()


class Work:
    """The answers to one plan."""

    __slots__ = ("deeds", "engine", "savepoint", "transaction", "within")

    def __init__(self, engine: Engine, within: Transaction | None = None) -> None:
        self.engine = engine
        self.within = within  # a transaction that began before the plan and outlives it
        self.transaction = within
        self.savepoint: Savepoint | None = None
        self.deeds: list[Deed] = []

    def answer(self, effect: Effect) -> Any:
        """Reply to *effect*."""
        target = self.engine if self.transaction is None else self.transaction
        if type(effect) is Query:
            return target.query(effect)
        match effect:
            case Query():
                return target.query(effect)
            case Load():
                return target.load(effect)
            case Repeat():
                return target.repeat(effect)
            case Atomically():
                self.enclose(savepoint=effect.savepoint)
            case AfterCommit():
                self.deeds.extend(effect.deeds)
            case _:
                assert_never(effect)
        return None

    def enclose(self, *, savepoint: bool) -> None:
        """All that follows is one: a new transaction, or a savepoint of the one the plan runs in."""
        if self.transaction is None:
            self.transaction = Transaction(self.engine)
        elif savepoint and self.within is not None and self.savepoint is None:
            self.savepoint = self.within.savepoint()

    def succeed(self) -> None:
        """The plan has returned."""
        if self.savepoint is not None:
            self.savepoint.release()
        if self.transaction is None:
            return
        self.transaction.after_commit(self.deeds)
        self.deeds = []
        if self.within is None:
            self.transaction.commit()

    def fail(self) -> None:
        """The plan has raised. What committed by itself has happened: its deeds stay."""
        if self.transaction is None:
            return
        self.deeds = []
        if self.savepoint is not None:
            self.savepoint.rollback()
        elif self.within is None:
            self.transaction.rollback()


def perform(plan: DataPlan[T], engine: Engine, within: Transaction | None = None) -> T:
    """Run *plan* to its end and do what waited for its commit."""
    work, ended = Work(engine, within), False
    try:  # a `with` would be a twentieth of a read
        value = drive(plan, work.answer)
        ended = True
    finally:
        if not ended:
            work.fail()
            settle(work.deeds)
    if work.transaction is not None:
        work.succeed()
    if work.deeds:
        settle(work.deeds)
    return value


def perform_rest(plan: DataPlan[T], effect: Effect, work: Work) -> T:
    """Run *plan* from *effect* on; the caller does the deeds that are left in *work*."""
    with Undoing(work.fail):
        value = proceed(plan, effect, work.answer)
    work.succeed()
    return value


def unusable(broken: BaseException | None) -> TransactionError:
    """Return the error of a transaction that has ended, or in which something failed."""
    if broken is None:
        return TransactionError("the transaction has ended", hint="begin another one")
    what = broken.message if isinstance(broken, KailashError) else type(broken).__name__
    error = TransactionError(
        f"something failed in this transaction before, and it can only be rolled back: {what}",
        hint="catch the error outside the transaction, or do what may fail in a nested one",
    )
    error.__cause__ = broken
    return error


def settle(deeds: Iterable[Deed]) -> None:
    """Do what waited for a commit. The work is done: a deed that raises is logged, and the others still happen."""
    for deed in deeds:
        try:
            deed()
        except Exception:  # a deed calls caches, listeners: nothing of theirs undoes the commit
            log.exception("a deed after a commit failed")


def begin_statement(isolation: str) -> str:
    """The BEGIN of PostgreSQL for an isolation level; empty is the database's default."""
    return f"BEGIN ISOLATION LEVEL {checked_isolation(isolation)}" if isolation else "BEGIN"


def checked_isolation(isolation: str) -> str:
    """Return the level as SQL spells it. Raises: ConfigurationError for one that is not known."""
    level = isolation.replace("_", " ").lower()
    if level not in ISOLATION:
        raise ConfigurationError(f"there is no isolation level {isolation!r}", hint=did_you_mean(level, ISOLATION))
    return ISOLATION[level]
