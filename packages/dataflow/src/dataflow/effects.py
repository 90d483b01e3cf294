"""Everything that a data plan may ask of the world, and the typed way to ask.

Rule 1: only `dataflow.executors` answers these; nothing else in the package performs I/O for operations.
Rule 2: a plan that writes more than one statement asks for `atomically` first. Without it each statement
        commits by itself, which is one round trip instead of three.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import msgspec

from kailash.plan import Plan

if TYPE_CHECKING:
    from sqlalchemy import Executable, Table

T = TypeVar("T")
Row: TypeAlias = dict[str, Any]  # {field: value as declared}
Deeds: TypeAlias = tuple[Callable[[], None], ...]  # done after a commit, from whichever thread: quickly


class Rows(msgspec.Struct, frozen=True):
    """A buffered result: the rows as records of Python values, and how many rows the statement touched."""

    items: list[Row]
    touched: int


# An execution option of a statement for PostgreSQL: (a command that ends where its value follows, the bind name of the
# value, the statement that does the same after the command); for a driver that can send both in one message. Nothing
# may be done to the statement after that.
FIRST: Final = "dataflow_first"
# A returned column of that name is not read: the server computes it for what that brings about.
UNREAD: Final = "dataflow_unread"
# An execution option of a SELECT, ``{field: bind name or None}`` of its records, in order: what it does not select has
# in all of them the value that is bound, or none.
WHOLE: Final = "dataflow_whole"


class Told(msgspec.Struct, frozen=True):
    """What the triggers of a SQLite connection are told of a write (`dataflow.ledger`).

    triggers: the statements that drop and make each of them, in turns, which a connection runs once. values: who
    writes, when and why. loads: the statements that tell of a whole load, instead of the triggers. own: what the
    triggers of the tables ask for, which leave to these what they tell of.
    """

    triggers: tuple[str, ...]
    values: tuple[Any, ...]
    loads: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


class Query(msgspec.Struct, frozen=True):
    """Run one statement.

    shape: equal shapes have equal SQL text; the executor compiles *build()* once for each.
    values: bind parameter name -> Python value, as declared (an executor encodes it for its driver).
    writes: whether the statement can change anything (SQLite: which connection runs it).
    guarded: the plan goes on when it is refused; in a transaction it has a savepoint of its own.
    """

    shape: Hashable
    build: Callable[[], Executable]
    values: Mapping[str, Any]
    writes: bool = False
    guarded: bool = False
    told: Told | None = None


class Load(msgspec.Struct, frozen=True):
    """Send many records at once into *table*, columns in the order of *fields*; the fastest way there is.

    PostgreSQL under asyncio: COPY. Elsewhere: executemany or the like. The reply is the number of rows.
    *temporary*: a table made for this transaction, with the given fields' types and an ``ordinal_`` column
    (position in *records*, from 0), dropped at commit; later statements of the plan join it.
    """

    table: Callable[[], Table]
    fields: tuple[str, ...]
    records: Sequence[Sequence[Any]]
    temporary: str | None = None
    told: Told | None = None


class Repeat(msgspec.Struct, frozen=True):
    """Run one writing statement once for each of *records*, whose columns are bound to *names* in order.

    SQLite: executemany; plans for PostgreSQL use `Load` and a join instead. The reply is the rows touched.
    """

    shape: Hashable
    build: Callable[[], Executable]
    names: tuple[str, ...]
    records: Sequence[Sequence[Any]]
    told: Told | None = None


class Atomically(msgspec.Struct, frozen=True):
    """From here to the end of the plan: one transaction (or a savepoint of the one already open).

    savepoint: whether, in a transaction that is already open, it can be undone by itself.
    """

    savepoint: bool = True


class Errand(ABC):
    """A deed that takes a way to another server, which each face goes by itself.

    Once begun it counts as owed, whatever comes in between: who leaves it has it done later, by others. Never raises.
    """

    @abstractmethod
    def begin(self) -> None:
        """Owe it; at once, and without asking anybody."""

    @abstractmethod
    def __call__(self) -> None:
        """Begin and do it, blocking."""

    @abstractmethod
    async def go(self) -> None:
        """Do what has begun, under asyncio."""

    @abstractmethod
    def leave(self) -> None:
        """Have it done later: who began it was cancelled."""


class AfterCommit(msgspec.Struct, frozen=True):
    """Do these once the enclosing transaction has committed, in order, or never."""

    deeds: Deeds


Effect: TypeAlias = Query | Load | Repeat | Atomically | AfterCommit
DataPlan: TypeAlias = Plan[Effect, T]


def ask(effect: Effect) -> DataPlan[Any]:
    """Ask for *effect* as it is; return the reply."""
    return (yield effect)


def query(
    shape: Hashable,
    build: Callable[[], Executable],
    values: Mapping[str, Any],
    *,
    writes: bool = False,
    guarded: bool = False,
) -> DataPlan[Rows]:
    """Ask for the rows of one statement."""
    rows: Rows = yield Query(shape, build, values, writes, guarded)
    return rows


def load(
    table: Callable[[], Table],
    fields: tuple[str, ...],
    records: Sequence[Sequence[Any]],
    *,
    temporary: str | None = None,
) -> DataPlan[int]:
    """Ask for many records to be stored at once; return how many were."""
    count: int = yield Load(table, fields, records, temporary)
    return count


def repeat(
    shape: Hashable, build: Callable[[], Executable], names: tuple[str, ...], records: Sequence[Sequence[Any]]
) -> DataPlan[int]:
    """Ask for one statement to be run for each record; return how many rows were touched."""
    touched: int = yield Repeat(shape, build, names, records)
    return touched


def atomically(*, savepoint: bool = True) -> DataPlan[None]:
    """Ask that all that follows commits or fails as one; see `Atomically`."""
    yield Atomically(savepoint)


def after_commit(*deeds: Callable[[], None]) -> DataPlan[None]:
    """Ask for *deeds* once the work is committed."""
    yield AfterCommit(deeds)


def apart(plan: DataPlan[T]) -> Plan[DataPlan[Any], T]:
    """Ask, in a plan of plans, that *plan* is run by itself: it is committed before what comes next."""
    result: T = yield plan
    return result
