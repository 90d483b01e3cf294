"""The journals of durable runs in the application's own database.

Rule 1: a step that writes has its record in the transaction of its effects: both are there, or neither.
Rule 2: several steps are one statement.
Rule 3: a run has an owner, a store; whether it lives is told by a lock that ends with its process (`executors.alive`).
Rule 4: what a run was given and what its steps came to may hold anything, the values of encrypted fields too: where
        the database has a key, both are sealed whole.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from dataflow.effects import DataPlan, Row, Rows, query
from dataflow.executors.alive import Life
from dataflow.model import envelope
from dataflow.operations.dialect import Dialect
from dataflow.schema.lock import begin_locked
from dataflow.transactions.block import Block
from dataflow.transactions.joined import JOINED, Home, find
from dataflow.transactions.late import ablock
from kailash._lazy import Late
from kailash._standard import asyncio
from kailash.errors import RunInProgressError
from kailash.nodes.scope import Scope
from kailash.runtime.record import RunRecord, Status

if TYPE_CHECKING:
    from dataflow.model.keyring import Keyring
    from dataflow.operations import journals
else:  # SQLAlchemy: 110 ms
    journals = Late("dataflow.operations.journals")

T = TypeVar("T")

GIVEN: Final = b"dataflow_runs.given"  # the columns that are sealed; `dataflow.rekey` has them too
OUTPUT: Final = b"dataflow_steps.output"
LOCK_TIMEOUT: Final = 30.0  # seconds that the making of the two tables waits for others; as of migrations


class RunStore:
    """A `kailash.runtime.record.RunStore` in the database *home*."""

    def __init__(self, home: Home, dialect: Dialect, keyring: Keyring | None = None) -> None:
        """Do nothing yet. keyring: of the database; what the journals hold is sealed with its first key."""
        self.home = home
        self._dialect: Dialect = dialect
        self._keyring = keyring
        self._owner = ""
        self._life: Life | None = None
        self._lock = threading.Lock()

    def begin(self, record: RunRecord) -> RunRecord:
        """Write down that this run begins; return it as it is stored. Raises: RunInProgressError."""
        self._prepare()
        return record if self._run(self._added(record)) else self._resumed(record.run_id)

    async def abegin(self, record: RunRecord) -> RunRecord:
        """Like `begin`."""
        if self._life is None:
            await asyncio.to_thread(self._prepare)
        if await self._arun(self._added(record)):
            return record
        return await asyncio.to_thread(self._resumed, record.run_id)

    def keep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        """Write down the outputs of finished steps, all or none."""
        self._run(self.kept(run_id, steps))

    async def akeep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        """Like `keep`."""
        await self._arun(self.kept(run_id, steps))

    def finish(self, run_id: str, status: Status) -> None:
        """Write down how the run ended."""
        self._run(_asked("finish", run=run_id, status=status))

    async def afinish(self, run_id: str, status: Status) -> None:
        """Like `finish`."""
        await self._arun(_asked("finish", run=run_id, status=status))

    def unfinished(self) -> list[RunRecord]:
        """Return the runs that began and did not end, oldest first, without their steps."""
        self._prepare()
        return [self._record(row) for row in self._run(_asked("unfinished")).items]

    def recent(self, most: int = 100) -> list[RunRecord]:
        """Return the runs that began last, the latest first, without their steps."""
        self._prepare()
        return [self._record(row) for row in self._run(_asked("recent", most=most)).items]

    def take_over(self, names: Collection[str]) -> list[RunRecord]:
        """Return the runs of workflows of these names that were cut off, oldest first; they are this store's now."""
        return [each for each in self.unfinished() if each.name in names and self._own(each.run_id)]

    def close(self) -> None:
        """Give up the lock that says that this store lives. Idempotent; the store can be used on."""
        with self._lock:
            life, self._life = self._life, None
        if life is not None:
            life.close()

    def step(self, scope: Scope, run: Callable[[], T]) -> T:
        """Do a step that writes, and its record, in one transaction."""
        with Writer(self, scope) as writer, Block(self.home, None) as block:
            output = run()
            block.run(writer.plan(output))
            return output

    async def astep(self, scope: Scope, run: Callable[[], Any]) -> Any:
        """Like `step`."""
        with Writer(self, scope) as writer:
            async with ablock.AsyncBlock(self.home, None) as block:
                output = await run()
                await block.arun(writer.plan(output))
                return output

    def kept(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> DataPlan[None]:
        """Return the plan that writes down the outputs of *steps*, in one statement."""
        paths = [path for path, _ in steps]
        outputs = [envelope.close(output, OUTPUT, self._keyring) for _, output in steps]
        yield from _asked(f"keep on {self._dialect}", run=run_id, paths=paths, outputs=outputs)

    # -- inside

    def _record(self, row: Mapping[str, Any], steps: Sequence[Row] = ()) -> RunRecord:
        return RunRecord(
            run_id=row["run_id"],
            workflow=row["workflow"],
            name=row["name"],
            given=envelope.open(row["given"], GIVEN, self._keyring),
            status=row["status"],
            steps={each["path"]: envelope.open(each["output"], OUTPUT, self._keyring) for each in steps},
        )

    def _prepare(self) -> None:
        """Make the tables, once, and begin to live."""
        with self._lock:
            if self._life is not None:
                return
            with self.home.sync().ddl() as connection:
                if not all(connection.ask(EXISTS[connection.dialect], (name,))[0][0] for name in TABLES):
                    begin_locked(connection, LOCK_TIMEOUT)
                    for table in TABLES.values():
                        connection.ask(table[connection.dialect])
                    connection.commit()
            self._owner = secrets.token_hex(8)  # a new life: others may know that the former one has ended
            self._life = self.home.sync().live(self._owner)

    def _run(self, plan: DataPlan[T]) -> T:
        block = find(JOINED.get(), self.home)
        return self.home.sync().run(plan) if block is None else block.run(plan)

    async def _arun(self, plan: DataPlan[T]) -> T:
        block = find(JOINED.get(), self.home)
        return await (self.home.aio().run(plan) if block is None else block.arun(plan))

    def _added(self, record: RunRecord) -> DataPlan[bool]:
        rows = yield from _asked(
            "add",
            run=record.run_id,
            workflow=record.workflow,
            name=record.name,
            given=envelope.close(record.given, GIVEN, self._keyring),
            owner=self._owner,
        )
        return bool(rows.items)

    def _resumed(self, run_id: str) -> RunRecord:
        if not self._own(run_id):
            raise RunInProgressError(f"run {run_id!r} is under way in another process", hint="ask again when it ended")
        (row,) = self._run(_asked("load", run=run_id)).items
        steps = self._run(_asked("steps", run=run_id)).items
        return self._record(row, steps)

    def _own(self, run_id: str) -> bool:
        """Make a run this store's unless another one that lives has it in hand; whether that is so now."""
        (row,) = self._run(_asked("load", run=run_id)).items
        status, owner = row["status"], row["owner"]
        if status == "done":
            return True
        if status == "running" and owner != self._owner and self.home.sync().lives(owner):
            return False
        asked = _asked("own", run=run_id, owner=self._owner, former=owner, status=status)
        return bool(self._run(asked).items)


class Writer:
    """The record of one step, and all that waits with it, as part of the transaction of its effects.

    Around that transaction it is a context: when the transaction fails, what was to be written waits on.
    """

    def __init__(self, store: RunStore, scope: Scope) -> None:
        self._store = store
        self._scope = scope
        self._taken: Sequence[tuple[str, bytes]] = ()

    def plan(self, output: Any) -> DataPlan[None]:
        """Return the plan that writes it down. Raises: InvalidInputError when it cannot be written."""
        journal = self._scope.journal
        assert journal is not None
        journal.note(self._scope.path, output)
        self._taken = journal.take()
        return self._store.kept(self._scope.run_id, self._taken)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *failure: object) -> None:
        if kind is not None and self._scope.journal is not None:
            self._scope.journal.restore(self._taken, self._scope.path)


def store_of(scope: Scope, home: Home) -> RunStore | None:
    """Return the store of the run, if it is of the database *home*."""
    if scope.journal is None:
        return None
    store = scope.journal.store
    inner = getattr(store, "store", store)  # one may stand before another, which has the journals
    return inner if isinstance(inner, RunStore) and inner.home is home else None


def _asked(what: str, /, **values: Any) -> DataPlan[Rows]:
    return (yield from query(("runs", what), lambda: journals.statement(what), values, writes=what not in READS))


READS: Final = frozenset({"unfinished", "recent", "load", "steps"})
EXISTS: Final = {
    "postgresql": "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = current_schema() AND c.relname = ?",
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
}
_RUNS: Final = (
    "CREATE TABLE IF NOT EXISTS dataflow_runs ({number}, run_id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL,"
    " name TEXT NOT NULL, given TEXT NOT NULL, status TEXT NOT NULL, owner TEXT NOT NULL)"
)
_STEPS: Final = (
    "CREATE TABLE IF NOT EXISTS dataflow_steps (run_id TEXT NOT NULL, path TEXT NOT NULL, output TEXT NOT NULL,"
    " PRIMARY KEY (run_id, path))"
)
TABLES: Final[dict[str, dict[str, str]]] = {
    "dataflow_runs": {
        "postgresql": _RUNS.format(number="number BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
        "sqlite": _RUNS.format(number="number INTEGER PRIMARY KEY AUTOINCREMENT"),
    },
    "dataflow_steps": {"postgresql": _STEPS, "sqlite": f"{_STEPS} WITHOUT ROWID"},
}
