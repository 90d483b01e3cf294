"""The rehearsal itself: what was done to the copy, under which locks, in how long, and how the models fared there."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from dataflow.database import DataFlow
from dataflow.rehearsal.copies import copy_of
from dataflow.rehearsal.trying import Used, tried
from dataflow.schema.plan import Block, Plan, described
from kailash.errors import KailashError


class Step(msgspec.Struct, frozen=True):
    """What was done to the copy, the lock that it takes, and how long it took there."""

    step: str
    lock: str
    seconds: float


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
        """Whether the plan could be applied, and every operation of every model did what it should."""
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

    The copy is removed however this ends, by an interrupt as well. Raises: DatabaseUnavailableError; ModelError.
    """
    plan = db.schema.plan()
    with copy_of(db, sample) as (copy, copied):
        began, clock = time.perf_counter(), _Clock(plan)
        try:
            copy.schema.migrate(copy.schema.plan().name, clock.tell)
        except KailashError as error:
            return Rehearsal(plan, copied, tuple(clock.steps), (), time.perf_counter() - began, str(error))
        seconds = time.perf_counter() - began
        return Rehearsal(plan, copied, tuple(clock.steps), tuple(tried(copy)), seconds)


class _Clock:
    """Hears of each block that is done."""

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
