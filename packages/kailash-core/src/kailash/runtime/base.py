"""What both runtimes share: the clock, one run, and what becomes of an output or a failure. Nothing here waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from kailash._standard import asyncio
from kailash.context import Context
from kailash.errors import (
    DeadlineExceededError,
    KailashError,
    NodeExecutionError,
    RunCancelledError,
    RuntimeExecutionError,
    WorkflowExecutionError,
)
from kailash.nodes.scope import Scope
from kailash.runtime.record import MISSING, Journal
from kailash.workflow.plan import Step
from kailash.workflow.state import State

Results: TypeAlias = dict[str, Any]  # {node id: output}


class Clock(Protocol):
    """Time, as a run sees it."""

    def now(self) -> float:
        """Return seconds on the scale of ``Context.deadline``."""

    def sleep(self, seconds: float) -> None:
        """Wait, blocking."""

    async def asleep(self, seconds: float) -> None:
        """Wait under asyncio."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a step of a run.

    path: the step, its place in nested workflows included ("checkout.pay"). seconds: since it started.
    """

    run_id: str
    path: str
    node: str  # its node type
    what: Literal["started", "finished", "recalled", "failed", "retrying"]
    attempt: int = 1
    seconds: float = 0.0
    error: BaseException | None = None


Observer: TypeAlias = Callable[[StepEvent], None]


class Run:
    """One run of a workflow with all that is nested in it."""

    __slots__ = ("clock", "forked", "journal", "observer", "pid", "scope", "watched")

    def __init__(self, scope: Scope, clock: Clock, journal: Journal | None, observer: Observer | None) -> None:
        self.scope = scope
        self.clock = clock
        self.journal = journal
        context = scope.context
        self.observer = observer if observer is not None else context.progress
        self.pid = os.getpid()
        self.forked = False
        self.watched = self.observer is not None or context.deadline is not None or context.cancellation is not None

    def check(self, context: Context) -> None:
        """Refuse to go on after the deadline or a cancellation.

        Raises: DeadlineExceededError, RunCancelledError.
        """
        if context.cancellation is not None and context.cancellation.requested:
            raise RunCancelledError("the run was cancelled")
        if context.deadline is not None and self.clock.now() >= context.deadline:
            raise DeadlineExceededError("the deadline passed before the run was done")

    def limit(self, step: Step, context: Context) -> float | None:
        """Return the seconds that one attempt of *step* may take from now, or None."""
        limits = [] if step.spec.timeout is None else [step.spec.timeout]
        if context.deadline is not None:
            limits.append(context.deadline - self.clock.now())
        return max(min(limits), 0.0) if limits else None

    def output(self, step: Step, output: Any) -> Any:
        """Return *output* when it is what an output must be.

        Raises: NodeExecutionError.
        """
        if os.getpid() != self.pid:
            self.forked = True
            raise NodeExecutionError(f"node {step.id!r} forked", hint="the run goes on in the parent process only")
        if not isinstance(output, dict):
            if not isinstance(output, Mapping):
                raise NodeExecutionError(f"node {step.id!r} returned {type(output).__name__}, not a dict")
            output = dict(output)
        for name, value in output.items():
            if _infinite(value):
                raise NodeExecutionError(
                    f"node {step.id!r} returned NaN or an infinity in {name!r}", hint="return None, or a number"
                )
        return output

    def tell(self, step: Step, path: str, what: Any, started: float, attempt: int, error: Any = None) -> None:
        """Tell the observer, if there is one."""
        if self.observer is not None:
            self.observer(
                StepEvent(
                    run_id=self.scope.run_id,
                    path=path,
                    node=step.node.name,
                    what=what,
                    attempt=attempt,
                    seconds=self.clock.now() - started,
                    error=error,
                )
            )

    def failed(self, step: Step, state: State, error: BaseException) -> WorkflowExecutionError:
        """Return the error that ends the run, with what it had produced."""
        if isinstance(error, WorkflowExecutionError):  # of a nested workflow
            inner = f"{step.id}.{error.node_id}" if error.node_id else step.id
            return self._error(inner, state, error.__cause__ or error, error.inputs)
        return self._error(step.id, state, error, _inputs_of(step, state))

    def let_pass(self, step: Step, state: State, error: BaseException) -> Results:
        """Return the output of a step whose failure its author lets pass."""
        state.failed.add(step.id)
        text = error.message if isinstance(error, KailashError) else f"{type(error).__name__}: {error}"
        return {"error": text, "failed": True}

    def _error(
        self, node_id: str, state: State, error: BaseException, inputs: dict[str, Any]
    ) -> WorkflowExecutionError:
        what = f"failed: {error.message}" if isinstance(error, KailashError) else f"failed with {type(error).__name__}"
        return WorkflowExecutionError(
            f"node {node_id!r} {what}",
            node_id=node_id,
            run_id=self.scope.run_id,
            results=state.outputs,
            inputs=inputs,
            cause=error,
        )


def _inputs_of(step: Step, state: State) -> dict[str, Any]:
    """What the step was given, as far as it can be had: getting it may be what failed."""
    try:
        return {} if step.body is not None else step.inputs(state)
    except Exception:  # noqa: BLE001 - told already, as the failure of the step
        return {}


def quick(run: Run, step: Step, state: State, scope: Scope) -> Any:
    """Run a plain step here and now and return its output.

    Raises: WorkflowExecutionError.
    """
    assert step.run is not None
    try:
        output = step.run(step.inputs(state), scope)
        return output if step.node.native else run.output(step, output)
    except Exception as error:  # noqa: BLE001 - of the author's node, chained in the error of the run
        scope.failures.append((step.id, error))
        failed = run.failed(step, state, error)
        raise failed from failed.__cause__


def brief(run: Run, step: Step, state: State, scope: Scope, prefix: str) -> Any:
    """Like `quick`; in a durable run the output is remembered, or was."""
    journal = run.journal
    if journal is None:
        return quick(run, step, state, scope)
    path = prefix + step.id
    known = journal.recall(path)
    if known is not MISSING:
        return known
    output = quick(run, step, state, scope.within(scope.context, path))
    remember(run, step, state, path, output)
    return output


def remember(run: Run, step: Step, state: State, path: str, output: Any) -> None:
    """Note the output of a step of a durable run.

    Raises: WorkflowExecutionError when it cannot be written down.
    """
    assert run.journal is not None
    try:
        run.journal.note(path, output)
    except KailashError as error:
        raise run.failed(step, state, error) from error


def workflow_of(given: Any) -> Any:
    """Return the built workflow that *given* is, or builds.

    Raises: RuntimeExecutionError.
    """
    if hasattr(given, "begin"):
        return given
    if hasattr(given, "build"):
        return given.build()
    raise RuntimeExecutionError(
        f"a {type(given).__name__} is no workflow", hint="give a built workflow or a WorkflowBuilder"
    )


def new_run_id() -> str:
    """Return an id that no other run has: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def _infinite(value: Any) -> bool:
    """Whether there is a NaN or an infinity at any depth; looks into dictionaries and lists only."""
    kind = value.__class__
    if kind is float:
        return bool(value - value != 0)
    if kind is dict:
        return any(map(_infinite, value.values()))
    if kind is list or kind is tuple:
        return any(map(_infinite, value))
    return False
