"""A rehearsal: the plan applied to a copy, every model used there, and the copy removed.

SQLite: a copy of the file. PostgreSQL: a schema beside the real one, with a sample of the records; it is removed
afterwards, and what a killed rehearsal left behind is removed by the next one.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from dataflow.database import DataFlow
from dataflow.schema import passing, staging
from dataflow.schema.plan import Block, Plan, described
from kailash.errors import KailashError, NotAvailableError

READ: Final = 100  # records of each model that are read, and one of them written


class Step(msgspec.Struct, frozen=True):
    """What was done to the copy, and how long it took there."""

    step: str
    lock: str
    seconds: float


class Used(msgspec.Struct, frozen=True):
    """How a model fared on the copy."""

    model: str
    read: int  # records
    error: str = ""


class Rehearsal(msgspec.Struct, frozen=True):
    """What came of it."""

    plan: Plan
    copied: int  # records
    steps: tuple[Step, ...]
    used: tuple[Used, ...]
    seconds: float
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the plan could be applied, and every model used."""
        return not self.error and not any(each.error for each in self.used)

    def told(self) -> dict[str, Any]:
        """Return it as the command line shows it."""
        return {
            "ok": self.ok,
            "plan": self.plan.name,
            "copied": self.copied,
            "seconds": round(self.seconds, 3),
            "steps": [msgspec.to_builtins(each) for each in self.steps],
            "models": [msgspec.to_builtins(each) for each in self.used],
            "error": self.error,
        }


def rehearse(db: DataFlow, sample: int = 1000) -> Rehearsal:
    """Rehearse what ``db.schema.migrate()`` would do. *sample*: records of each table that are copied (PostgreSQL).

    Raises: NotAvailableError for a database in memory; DatabaseUnavailableError.
    """
    plan = db.schema.plan()
    with _copy(db, sample) as (copy, copied):
        for model in db.models:
            copy.models.register(model.spec)
        began, clock = time.perf_counter(), _Clock(plan)
        try:
            copy.schema.migrate(copy.schema.plan().name, clock.tell)
        except KailashError as error:
            return Rehearsal(plan, copied, tuple(clock.steps), (), time.perf_counter() - began, str(error))
        seconds = time.perf_counter() - began
        return Rehearsal(plan, copied, tuple(clock.steps), tuple(_used(copy)), seconds)


class _Clock:
    def __init__(self, plan: Plan) -> None:
        self._locks = {described(step.change): step.risk.lock for step in plan.steps}
        self._last = time.perf_counter()
        self.steps: list[Step] = []

    def tell(self, block: Block) -> None:
        now = time.perf_counter()
        words = [described(change) for change in block.changes]
        lock = next((self._locks[word] for word in words if word in self._locks), "")
        self.steps.append(Step(", ".join(words), lock, round(now - self._last, 6)))
        self._last = now


def _used(copy: DataFlow) -> Iterator[Used]:
    """Read records of each model, and write one as it is."""
    for name in copy.list_models():
        read = 0
        try:
            records = copy.express_sync.list(name, limit=READ)
            read = len(records)
            if records:
                managed = {*copy.spec(name).managed, "id"}
                same = {field: value for field, value in records[0].items() if field not in managed}
                copy.express_sync.update(name, records[0]["id"], same)
        except KailashError as error:
            yield Used(name, read, str(error))
        else:
            yield Used(name, read)


@contextmanager
def _copy(db: DataFlow, sample: int) -> Iterator[tuple[DataFlow, int]]:
    """Yield a copy of the database, and how many records it has."""
    make: Callable[..., Any] = _copied_file if db.url.dialect == "sqlite" else _copied_schema
    with make(db, sample) as (url, copied):
        copy = DataFlow(url, application="rehearsal", auto_migrate=False)
        try:
            yield copy, copied
        finally:
            copy.close()


@contextmanager
def _copied_file(db: DataFlow, sample: int) -> Iterator[tuple[str, int]]:
    if db.url.memory:
        raise NotAvailableError("a database in memory cannot be copied", hint="rehearse on a file")
    with tempfile.TemporaryDirectory(prefix="dataflow-rehearsal-") as folder:
        path = Path(folder) / "copy.db"
        with db.connection() as connection:
            connection.ask("VACUUM INTO ?", (str(path),))
            copied = sum(staging.counted(connection, [model.spec.table for model in db.models]))
        yield f"sqlite:///{path}", copied


@contextmanager
def _copied_schema(db: DataFlow, sample: int) -> Iterator[tuple[str, int]]:
    name = f"{staging.PREFIX}{secrets.token_hex(4)}"
    with db.connection() as connection:
        staging.remove_dead(connection)
        original = str(connection.ask("SELECT current_schema()")[0][0])
        with staging.held(connection, name):
            copied = staging.copy(connection, passing.names_of(db.models), name, sample)
            yield _within(db.options.database_url, f"{name},{original}"), copied


def _within(url: str, path: str) -> str:
    """Return *url* with the search path *path*."""
    place, _, query = url.partition("?")
    options = dict(parse_qsl(query))
    options["options"] = f"{options.get('options', '')} -csearch_path={path}".strip()
    return f"{place}?{urlencode(options)}"
