"""Which block an operation joins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from dataflow.effects import DataPlan
from dataflow.errors import TransactionError
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.transaction import ISOLATION
from kailash.errors import ConfigurationError

if TYPE_CHECKING:
    from dataflow.executors.aio import AsyncExecutor

T = TypeVar("T")


class Home:
    """One database as blocks reach it; its identity is the database's."""

    __slots__ = ("aio", "aprepare", "prepare", "sync")

    def __init__(
        self,
        prepare: Callable[[], None],
        aprepare: Callable[[], Awaitable[None]],
        sync: Callable[[], SyncExecutor],
        aio: Callable[[], AsyncExecutor],
    ) -> None:
        self.prepare = prepare
        self.aprepare = aprepare
        self.sync = sync
        self.aio = aio


class Joined(Protocol):
    """A block that operations of its database join."""

    home: Home | None  # None: of the first database that joins it
    isolation: str
    around: Joined | None  # the block that was joined where this one was made, of whichever database

    @property
    def started(self) -> bool:
        """Whether it holds a connection."""

    def run(self, plan: DataPlan[T]) -> T:
        """Run *plan* in it, blocking."""

    async def arun(self, plan: DataPlan[T]) -> T:
        """Run *plan* in it, under asyncio."""


JOINED: Final[ContextVar[Joined | None]] = ContextVar("dataflow_transaction", default=None)


def find(block: Joined | None, home: Home) -> Joined | None:
    """Return the innermost block of the database *home* among *block* and those around it, or None."""
    while block is not None:
        if block.home is None:
            block.home = home
        if block.home is home:
            return block
        block = block.around
    return None


def refuse_level(block: Joined, outer: Joined) -> None:
    """Refuse a stricter isolation level than that of *outer*, which a savepoint has. Raises: ConfigurationError."""
    if block.isolation and _STRICTNESS[block.isolation] > _STRICTNESS.get(outer.isolation, 0):
        raise ConfigurationError(
            "a nested transaction has the isolation level of the outer one", hint="give the level to the outer one"
        )


def refuse_inner(block: Joined) -> None:
    """Refuse to end *block* from inside a block inside it. Raises: TransactionError."""
    inner = JOINED.get()
    while inner is not None and inner is not block:
        if inner.around is block:
            raise TransactionError("a nested transaction is still open", hint="end the inner one first")
        inner = inner.around


def ended(how: str) -> TransactionError:
    """Return the error of somebody who comes too late."""
    return TransactionError(
        f"the transaction was {how} before this was asked for",
        hint="finish what a transaction's block starts (tasks, threads) inside the block",
    )


def foreign() -> TransactionError:
    """Return the error of a blocking call that would wait for the event loop it stands on."""
    return TransactionError(
        "this transaction is used under asyncio, and cannot be from here",
        hint="await db.express and db.transaction(), or AsyncLocalRuntime, on the event loop that began it",
    )


_STRICTNESS: Final = {level: rank for rank, level in enumerate(ISOLATION.values())}
