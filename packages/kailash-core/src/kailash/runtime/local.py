"""`LocalRuntime`: runs a workflow here and now, in this thread, with blocking drivers and no event loop.

Rule 1: a step runs in the calling thread. A thread is borrowed for steps that may wait when several may run
        at once, for a time limit, and for a coroutine while this thread's event loop is busy.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, assert_never

from kailash._undo import Undoing, outcome_of
from kailash.context import Acting, Context, inherited
from kailash.nodes.scope import Scope
from kailash.plan import Course, drive
from kailash.runtime import features
from kailash.runtime.base import Clock, Observer, Results, Run, SystemClock, brief, new_run_id, quick, workflow_of
from kailash.runtime.effects import Attempt, Pause, Turn, Wish
from kailash.runtime.guard import guard
from kailash.runtime.record import Journal, RunStore, first_record, given_of
from kailash.runtime.threads import Workers
from kailash.workflow.plan import Plan, Step
from kailash.workflow.state import State
from kailash.workflow.walk import walk

if TYPE_CHECKING:
    from kailash.runtime.loops import LoopThread  # imports asyncio

MAX_WORKERS: Final = 8  # steps side by side; arbitrary, within the usual size of a connection pool


class LocalRuntime:
    """Runs workflows, blocking, from any thread, also while an event loop runs in it.

    store: where the journals of runs are kept, which makes every run durable. max_workers: threads for the
    steps of one run that may wait side by side; 1 for none. observer: hears of every step, in its thread.
    """

    def __init__(
        self,
        *,
        store: RunStore | None = None,
        max_workers: int = MAX_WORKERS,
        observer: Observer | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._max_workers = max_workers
        self._observer = observer
        self._clock = clock or SystemClock()
        self._workers = Workers()

    def execute(
        self,
        workflow: Any,
        inputs: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        context: Context | None = None,
        run_id: str | None = None,
    ) -> tuple[Results, str]:
        """Run *workflow* (or a builder's) and return ({node id: output}, run id).

        inputs: values of ``{{...}}``. parameters: the same, and ``{node id: {input: value}}``. run_id: of a
        run that was cut off, which then goes on; finished steps are not repeated.

        context: default, that of the code around.

        Raises: WorkflowExecutionError when a node fails; NodeValidationError for missing or unknown inputs.
        """
        if context is None:
            return self._execute(workflow, inputs, parameters, inherited(), run_id)
        with Acting(context):
            return self._execute(workflow, inputs, parameters, context, run_id)

    def _execute(
        self,
        workflow: Any,
        inputs: Mapping[str, Any] | None,
        parameters: Mapping[str, Any] | None,
        context: Context,
        run_id: str | None,
    ) -> tuple[Results, str]:
        workflow = workflow_of(workflow)
        scope = Scope(context, run_id or new_run_id())
        journal = None
        if (store := self._store_for(run_id)) is not None:
            asked = first_record(workflow, scope.run_id, inputs, parameters)
            stored = store.begin(asked)
            inputs, parameters = given_of(stored, asked)
            scope.journal = journal = Journal(store, stored)
        state = workflow.begin(inputs, parameters, scope.context)
        run = Run(scope, self._clock, journal, self._observer)
        only = workflow.plan.only
        if only is not None and only.run is not None and journal is None and not run.watched:
            _alone(run, only, state)
            return state.outputs, scope.run_id
        scope.runner = blocking = _Blocking(run, self._workers, self._max_workers)
        with Undoing(lambda: blocking.end(success=False)):
            blocking.walk(workflow.plan, state, scope, "")
            if scope.holding:
                scope.close(success=True)
        if journal is not None or blocking.loop is not None:
            blocking.end(success=True)
        scope.runner = None  # they hold each other: a run shall leave nothing to the garbage collector
        return state.outputs, scope.run_id

    def close(self) -> None:
        """Give back what the runtime holds. Idempotent; the runtime can be used on."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _store_for(self, run_id: str | None) -> RunStore | None:
        if self._store is None and run_id is not None:
            self._store = features.sqlite_store.default_store()
        return self._store


def _alone(run: Run, step: Step, state: State) -> None:
    """Run a workflow of one step: there is nothing to walk, and nothing runs inside it."""
    scope = run.scope
    try:
        state.outputs[step.id] = quick(run, step, state, scope)
        if scope.holding:
            scope.close(success=True)
    finally:  # what is held still, since something failed
        if scope.holding and not run.forked:
            scope.close(success=False)


class _Blocking:
    """One run, in this thread: answers what a walk asks for."""

    def __init__(self, run: Run, workers: Workers, max_workers: int) -> None:
        self.operation = run
        self.workers = workers
        self.max_workers = max_workers
        self.loop: LoopThread | None = None  # for nodes that have coroutines only

    def run(self, workflow: Any, inputs: Mapping[str, Any], scope: Scope, path: str) -> Results:
        """Run a nested workflow."""
        state = workflow.begin(inputs, None, scope.context)
        self.walk(workflow.plan, state, scope, f"{path}.")
        return state.outputs  # type: ignore[no-any-return]

    async def arun(self, workflow: Any, inputs: Mapping[str, Any], scope: Scope, path: str) -> Results:
        """Run a nested workflow for a coroutine that this runtime drives."""
        return self.run(workflow, inputs, scope, path)

    def walk(self, plan: Plan, state: State, scope: Scope, prefix: str) -> None:
        wave, course = _Wave(self, state, scope, prefix), Course(walk(plan, state))
        while not course.finished:
            if wave.is_stretch(course.asked):
                self.complete(wave.stretch(course), None)
            else:
                course.answer(wave.perform(course.asked))

    def end(self, *, success: bool) -> None:
        """Close what is held, write down the rest."""
        run = self.operation
        if run.forked:  # what is held belongs to the parent process
            return
        if run.journal is not None and not success:
            run.journal.forget()
        try:
            run.scope.close(success=success)
        finally:
            self.record()
            if run.journal is not None:
                run.journal.store.finish(run.journal.run_id, "done" if success else "failed")
            if self.loop is not None:
                self.workers.give_back(self.loop)

    def record(self) -> None:
        """Write down what finished."""
        journal = self.operation.journal
        if journal is not None and (due := journal.due(self.operation.scope)):
            journal.store.keep(journal.run_id, due)

    def complete(self, made: Coroutine[Any, Any, Any], limit: float | None) -> Any:
        """Return what a coroutine returns, on the run's own event loop in another thread."""
        if self.loop is None:
            self.loop = self.workers.loop()
        return self.loop.call(made, limit)


class _Wave:
    """The steps of one (nested) workflow of a run."""

    __slots__ = ("backlog", "done", "fault", "flying", "operation", "prefix", "run", "scope", "state")

    def __init__(self, run: _Blocking, state: State, scope: Scope, prefix: str) -> None:
        self.run = run
        self.operation = run.operation
        self.state = state
        self.scope = scope
        self.prefix = prefix
        self.flying = 0
        self.backlog: deque[Step] = deque()
        self.done: SimpleQueue[tuple[Step, Any, BaseException | None]] | None = None

    def perform(self, due: Sequence[Step]) -> list[tuple[Step, Any]]:
        """Run what is due; return what has finished, at least one."""
        if len(due) == 1 and not self.flying:
            finished = [(due[0], self.one(due[0]))]
        else:
            finished = self._side_by_side(due)
        if self.operation.journal is not None:
            self.run.record()
        return finished

    def is_stretch(self, due: Sequence[Step]) -> bool:
        """Whether what is due is the first of steps that are coroutines, one after another."""
        if len(due) != 1 or due[0].run is not None or not due[0].plain or self.flying:
            return False
        return not self.operation.watched and self.operation.journal is None

    async def stretch(self, course: Course[list[Step]]) -> None:
        """Go on on the event loop until a step comes that is better run here."""
        aquick = features.coroutines.aquick
        while not course.finished and self.is_stretch(course.asked):
            step = course.asked[0]
            assert step.arun is not None
            course.answer([(step, await aquick(self.operation, step, step.arun, self.state, self.scope))])

    def one(self, step: Step) -> Any:
        """Run one step and return its output; nothing for a cycle."""
        if not step.plain or self.operation.watched or step.run is None:
            return drive(guard(self.operation, step, self.state, self.scope, self.prefix), self.answer)
        return brief(self.operation, step, self.state, self.scope, self.prefix)

    def answer(self, wish: Wish) -> Any:
        """Answer the guard of one step."""
        match wish:
            case Attempt(step, scope, limit):
                return self._attempt(step, scope, limit)
            case Pause(seconds):
                return self._pause(seconds)
            case Turn(body, prefix):
                return self.run.walk(body, self.state, self.scope, prefix)
            case _:
                assert_never(wish)

    def _attempt(self, step: Step, scope: Scope, limit: float | None) -> Any:
        values = step.inputs(self.state)
        run = step.run
        if run is None:
            assert step.arun is not None
            return self.run.complete(_awaited(step.arun(values, scope)), limit)
        if limit is None or step.node.native or (step.spec.timeout is None and not step.may_wait):
            return run(values, scope)
        return self.run.workers.call(lambda: run(values, scope), limit)

    def _pause(self, seconds: float) -> None:
        cancellation = self.scope.context.cancellation
        if cancellation is None:
            self.operation.clock.sleep(seconds)
            return
        wake = threading.Event()
        forget = cancellation.listen(wake.set)
        wake.wait(seconds)
        forget()

    def _side_by_side(self, due: Sequence[Step]) -> list[tuple[Step, Any]]:
        waiting = [step for step in due if step.may_wait] if self.run.max_workers > 1 else []
        if self.flying + len(waiting) < 2:
            waiting = []
        self.backlog.extend(waiting)
        self._launch()
        here = [step for step in due if not step.may_wait] if waiting else due
        finished = [(step, self.one(step)) for step in here]
        return finished if finished or not self.flying else [self._landed()]

    def _launch(self) -> None:
        done = self.done = self.done or SimpleQueue()
        while self.backlog and self.flying < self.run.max_workers:
            self.flying += 1
            self.run.workers.submit(self._flight(self.backlog.popleft(), done))

    def _flight(self, step: Step, done: SimpleQueue[tuple[Step, Any, BaseException | None]]) -> Callable[[], None]:
        return lambda: done.put((step, *outcome_of(lambda: self.one(step))))

    def _landed(self) -> tuple[Step, Any]:
        """Wait for one; after a fault, for all of them, since no thread can be stopped."""
        assert self.done is not None
        step, output, fault = self.done.get()
        self.flying -= 1
        if fault is not None:
            self.backlog.clear()
            while self.flying:
                other, value, _ = self.done.get()
                self.flying -= 1
                if value is not None:
                    self.state.outputs[other.id] = value
            raise fault
        self._launch()
        return step, output


async def _awaited(made: Awaitable[Any]) -> Any:
    return await made
