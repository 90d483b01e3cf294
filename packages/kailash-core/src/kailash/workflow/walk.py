"""What to run next, given what has been produced. No I/O, no threads, no clock.

The plan yields the steps that may start now (none, when it can only wait for those under way) and is sent
back what has finished, one or more: ``[(step, output), ...]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from kailash import plan as plans
from kailash.workflow.plan import Plan, Step
from kailash.workflow.state import State

Finished: TypeAlias = Sequence[tuple[Step, Any]]


def walk(plan: Plan, state: State) -> plans.Plan[list[Step], None]:
    """Walk all steps; their outputs are in ``state.outputs`` afterwards."""
    waits = plan.waits.copy()
    outputs = state.outputs
    ready = list(plan.first)
    running = 0
    while True:
        due = _due(ready, waits, state) if plan.gated else ready
        running += len(due)
        if not running:
            return
        finished: Finished = yield due
        ready = []
        for step, output in finished:
            running -= 1
            if step.body is None:
                outputs[step.id] = output
            for later in step.dependents:
                index = later.index
                waits[index] -= 1
                if not waits[index]:
                    ready.append(later)


def _due(ready: list[Step], waits: list[int], state: State) -> list[Step]:
    """Those of *ready* that are to run; the others are skipped, which may make more ready."""
    due = []
    for step in ready:  # grows while it is read
        if step.gate is None or step.gate.open(state):
            due.append(step)
            continue
        for later in step.dependents:
            waits[later.index] -= 1
            if not waits[later.index]:
                ready.append(later)
    return due
