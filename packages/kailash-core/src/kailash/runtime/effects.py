"""What the guard of a step may ask of its runtime, and the typed way to ask."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgspec

from kailash import plan
from kailash.nodes.scope import Scope
from kailash.workflow.plan import Plan, Step

T = TypeVar("T")


class Attempt(msgspec.Struct, frozen=True):
    """Run the step's node once, within *limit* seconds; reply with what it returned.

    Raises: OutOfTimeError.
    """

    step: Step
    scope: Scope
    limit: float | None


class Pause(msgspec.Struct, frozen=True):
    """Wait, unless the run is cancelled meanwhile. Seconds."""

    seconds: float


class Turn(msgspec.Struct, frozen=True):
    """Walk the steps of a cycle once. prefix: of their paths."""

    body: Plan
    prefix: str


class OutOfTimeError(Exception):
    """An attempt took longer than its limit; never seen outside the runtimes."""


Wish: TypeAlias = Attempt | Pause | Turn
StepPlan: TypeAlias = plan.Plan[Wish, T]


def attempt(step: Step, scope: Scope, limit: float | None) -> StepPlan[Any]:
    """Ask for one attempt; return what the node returned. Raises: OutOfTimeError, what the node raised."""
    output = yield Attempt(step, scope, limit)
    return output


def pause(seconds: float) -> StepPlan[None]:
    """Ask to wait."""
    yield Pause(seconds)


def turn(body: Plan, prefix: str) -> StepPlan[None]:
    """Ask for one turn of a cycle."""
    yield Turn(body, prefix)
