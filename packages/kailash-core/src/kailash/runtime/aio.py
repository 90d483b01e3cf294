"""`AsyncLocalRuntime`: runs a workflow on the running event loop.

Rule 1: a task is made only for steps that run side by side; one after another they are simply awaited.
Rule 2: pure nodes without a coroutine run on the loop; others that have only a blocking face run in a
        thread, as long a stretch of the workflow as there are such.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, assert_never

from kailash._undo import outcome_of
from kailash.context import Acting, Cancellation, Context, inherited
from kailash.errors import RunCancelledError, RuntimeExecutionError, WorkflowExecutionError
from kailash.nodes.nodetype import ARun
from kailash.nodes.scope import Scope
from kailash.plan import Course, adrive
from kailash.runtime import features
from kailash.runtime.base import (
    Clock,
    Observer,
    Results,
    Run,
    SystemClock,
    brief,
    new_run_id,
    quick,
    remember,
    workflow_of,
)
from kailash.runtime.coroutines import aquick, own_cancellation
from kailash.runtime.effects import Attempt, OutOfTimeError, Pause, Turn, Wish
from kailash.runtime.guard import guard
from kailash.runtime.record import MISSING, Journal, RunStore, first_record, given_of
from kailash.runtime.threads import Workers
from kailash.workflow.plan import Plan, Step
from kailash.workflow.state import State
from kailash.workflow.walk import walk

MAX_CONCURRENCY: Final = 100  # steps of one run side by side; arbitrary


class AsyncLocalRuntime:
    """Runs workflows under asyncio.

    store: where the journals of runs are kept, which makes every run durable. max_concurrency: steps of one
    workflow side by side. observer: hears of every step.
    """

    def __init__(
        self,
        *,
        store: RunStore | None = None,
        max_concurrency: int = MAX_CONCURRENCY,
        observer: Observer | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._max_concurrency = max_concurrency
        self._observer = observer
        self._clock = clock or SystemClock()
        self._workers = Workers()

    async def execute(
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
            return await self._execute(workflow, inputs, parameters, inherited(), run_id)
        with Acting(context):
            return await self._execute(workflow, inputs, parameters, context, run_id)

    async def _execute(
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
            stored = await store.abegin(asked)
            inputs, parameters = given_of(stored, asked)
            scope.journal = journal = Journal(store, stored)
        state = workflow.begin(inputs, parameters, scope.context)
        run = Run(scope, self._clock, journal, self._observer)
        only = workflow.plan.only
        if only is not None and only.arun is not None and journal is None and not run.watched:
            await _alone(run, only, only.arun, state)
            return state.outputs, scope.run_id
        scope.runner = under_loop = _UnderLoop(run, self._workers, self._max_concurrency)
        try:
            if scope.context.cancellation is not None:
                await under_loop.cancellable(workflow.plan, state, scope.context.cancellation)
            else:
                await under_loop.whole(workflow.plan, state)
        finally:
            scope.runner = None  # they hold each other: a run shall leave nothing to the garbage collector
        return state.outputs, scope.run_id

    async def execute_workflow_async(
        self, workflow: Any, inputs: Mapping[str, Any] | None = None, *, context: Context | None = None
    ) -> tuple[Results, str]:
        """Run *workflow*; *inputs* may hold ``{node id: {input: value}}`` beside the workflow's inputs."""
        return await self.execute(workflow, parameters=inputs, context=context)

    async def aclose(self) -> None:
        """Give back what the runtime holds. Idempotent; the runtime can be used on."""

    def close(self) -> None:
        """Like `aclose`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

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


async def _alone(run: Run, step: Step, arun: ARun, state: State) -> None:
    """Run a workflow of one step: there is nothing to walk, and nothing runs inside it."""
    scope = run.scope
    try:
        state.outputs[step.id] = await aquick(run, step, arun, state, scope)
        if scope.holding:
            await scope.aclose(success=True)
    finally:  # what is held still, since something failed
        if scope.holding and not run.forked:
            await asyncio.shield(scope.aclose(success=False))


class _UnderLoop:
    """One run on the running loop."""

    def __init__(self, run: Run, workers: Workers, max_concurrency: int) -> None:
        self.operation = run
        self.workers = workers
        self.max_concurrency = max_concurrency
        self.loop = asyncio.get_running_loop()

    def run(self, workflow: Any, inputs: Mapping[str, Any], scope: Scope, path: str) -> Results:
        """Refuse: under asyncio a nested workflow is awaited."""
        raise RuntimeExecutionError("a nested workflow runs on the event loop here", hint="call arun")

    async def arun(self, workflow: Any, inputs: Mapping[str, Any], scope: Scope, path: str) -> Results:
        """Run a nested workflow."""
        state = workflow.begin(inputs, None, scope.context)
        await self.walk(workflow.plan, state, scope, f"{path}.")
        return state.outputs  # type: ignore[no-any-return]  # a workflow of a higher layer, seen from here as Any

    async def whole(self, plan: Plan, state: State) -> None:
        """Run the outermost workflow, and close what was held."""
        scope, success = self.operation.scope, False
        try:
            await self.walk(plan, state, scope, "")
            if scope.holding:
                await scope.aclose(success=True)
            success = True
        finally:
            if not success or self.operation.journal is not None:
                await self._end(success=success)

    async def cancellable(self, plan: Plan, state: State, cancellation: Cancellation) -> None:
        """The same, ended by *cancellation*."""
        task = asyncio.current_task()
        assert task is not None

        def end() -> None:
            self.loop.call_soon_threadsafe(task.cancel)

        forget = cancellation.listen(end)
        try:
            await self.whole(plan, state)
        except asyncio.CancelledError:
            if not cancellation.requested or task.uncancel() > 0:
                raise
            cause = RunCancelledError("the run was cancelled")
            raise WorkflowExecutionError(
                cause.message, run_id=self.operation.scope.run_id, results=state.outputs, cause=cause
            ) from cause
        finally:
            forget()

    async def walk(self, plan: Plan, state: State, scope: Scope, prefix: str) -> None:
        await _Flow(self, state, scope, prefix).walk(plan)

    async def record(self) -> None:
        """Write down what finished."""
        journal = self.operation.journal
        if journal is not None and (due := journal.due(self.operation.scope)):
            await journal.store.akeep(journal.run_id, due)

    async def in_thread(self, function: Callable[[], Any]) -> Any:
        """Return what *function* returns in another thread; when cancelled, the thread is left behind."""
        landed = self.loop.create_future()
        self.workers.submit(lambda: _land(self.loop, landed, *outcome_of(function)))
        value, fault = await landed
        if fault is not None:
            raise fault
        return value

    async def _end(self, *, success: bool) -> None:
        run = self.operation
        if run.forked:  # what is held belongs to the parent process
            return
        await asyncio.shield(self._close(run, success=success))

    async def _close(self, run: Run, *, success: bool) -> None:
        if run.journal is not None and not success:
            run.journal.forget()
        try:
            await run.scope.aclose(success=success)
        finally:
            await self.record()
            if run.journal is not None:
                await run.journal.store.afinish(run.journal.run_id, "done" if success else "failed")


class _Flow:
    """The steps of one (nested) workflow of a run."""

    __slots__ = (
        "backlog", "fault", "flying", "landed", "operation", "prefix", "run", "scope", "state", "tasks", "wake",
    )  # fmt: skip

    def __init__(self, run: _UnderLoop, state: State, scope: Scope, prefix: str) -> None:
        self.run = run
        self.operation = run.operation
        self.state = state
        self.scope = scope
        self.prefix = prefix
        self.flying = 0
        self.backlog: deque[Step] = deque()
        self.landed: list[tuple[Step, Any]] = []
        self.fault: BaseException | None = None
        self.wake: asyncio.Future[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def walk(self, plan: Plan) -> None:
        course = Course(walk(plan, self.state))
        try:
            while not course.finished:
                due = course.asked
                if len(due) > 1 or self.flying:
                    finished = await self._side_by_side(due)
                elif self._is_stretch(due):
                    await self._stretch(course)
                    continue
                else:
                    finished = [(due[0], await self.one(due[0]))]
                journal = self.operation.journal
                if journal is not None and (steps := journal.due(self.operation.scope)):
                    await journal.store.akeep(journal.run_id, steps)
                course.answer(finished)
        finally:
            if self.tasks:
                await self._ground()

    async def one(self, step: Step) -> Any:
        """Run one step and return its output; nothing for a cycle."""
        run = self.operation
        if not step.plain or run.watched or (run.journal is not None and step.arun is None and step.may_wait):
            return await adrive(guard(run, step, self.state, self.scope, self.prefix), self.answer)
        if step.arun is None:
            return brief(run, step, self.state, self.scope, self.prefix)
        if run.journal is not None:
            return await self._remembered(run, run.journal, step, step.arun)
        return await aquick(run, step, step.arun, self.state, self.scope)

    async def _remembered(self, run: Run, journal: Journal, step: Step, arun: ARun) -> Any:
        path = self.prefix + step.id
        known = journal.recall(path)
        if known is not MISSING:
            return known
        output = await aquick(run, step, arun, self.state, self.scope.within(self.scope.context, path))
        remember(run, step, self.state, path, output)
        return output

    async def answer(self, wish: Wish) -> Any:
        """Answer the guard of one step."""
        match wish:
            case Attempt(step, scope, limit):
                return await self._attempt(step, scope, limit)
            case Pause(seconds):
                return await self.operation.clock.asleep(seconds)
            case Turn(body, prefix):
                return await self.run.walk(body, self.state, self.scope, prefix)
            case _:
                assert_never(wish)

    async def _attempt(self, step: Step, scope: Scope, limit: float | None) -> Any:
        made = self._begun(step, scope)
        try:
            if limit is None:
                return await made
            async with asyncio.timeout(limit) as timer:
                return await made
        except TimeoutError:
            if limit is not None and timer.expired():
                raise OutOfTimeError from None
            raise
        except asyncio.CancelledError:
            raise own_cancellation(step) from None

    def _begun(self, step: Step, scope: Scope) -> Awaitable[Any]:
        values = step.inputs(self.state)
        if step.arun is not None:
            return step.arun(values, scope)
        run = step.run
        assert run is not None
        if step.may_wait or (step.spec.timeout is not None and not step.node.native):
            return self.run.in_thread(lambda: run(values, scope))
        return _done(run(values, scope))

    # -- one after another in a thread

    def _is_stretch(self, due: Sequence[Step]) -> bool:
        if len(due) != 1 or self.operation.watched or self.operation.journal is not None:
            return False
        step = due[0]
        return step.arun is None and step.plain and step.may_wait

    async def _stretch(self, course: Course[list[Step]]) -> None:
        """Go on in a thread until a step comes that is better run on the loop."""
        stop = False

        def go_on() -> None:
            while not stop and not course.finished and len(course.asked) == 1:
                step = course.asked[0]
                if step.arun is not None or not step.plain:
                    return
                course.answer([(step, quick(self.operation, step, self.state, self.scope))])

        landed = self.run.loop.create_future()
        self.run.workers.submit(lambda: _land(self.run.loop, landed, *outcome_of(go_on)))
        try:
            _, fault = await asyncio.shield(landed)
        except asyncio.CancelledError:
            stop = True
            if self.scope.holding:  # the node may be using it: it is closed after the node
                await asyncio.wait([landed])
            raise
        if fault is not None:
            raise fault

    # -- side by side

    async def _side_by_side(self, due: Sequence[Step]) -> list[tuple[Step, Any]]:
        """Start what is due; return what has finished, at least one."""
        watched = self.operation.watched
        here: list[Step] = []
        for step in due:
            quickly = step.arun is None and not step.may_wait and step.plain and not watched
            (here if quickly else self.backlog).append(step)
        self._launch()
        finished = [(step, brief(self.operation, step, self.state, self.scope, self.prefix)) for step in here]
        if finished:
            return finished
        if not self.landed and self.fault is None:
            self.wake = self.run.loop.create_future()
            await self.wake
        if self.fault is not None:
            await self._ground()
            raise self.fault
        finished, self.landed = self.landed, []
        self._launch()
        return finished

    def _launch(self) -> None:
        while self.backlog and self.flying < self.run.max_concurrency:
            self.flying += 1
            task = self.run.loop.create_task(self._fly(self.backlog.popleft()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _fly(self, step: Step) -> None:
        try:
            if step.arun is None and step.plain and not self.operation.watched:
                output = await self.run.in_thread(
                    lambda: brief(self.operation, step, self.state, self.scope, self.prefix)
                )
            else:
                output = await self.one(step)
            self.landed.append((step, output))
        except BaseException as fault:  # noqa: BLE001 - raised by the walk, which waits for it
            self.fault = self.fault or fault
        finally:
            self.flying -= 1
            if self.wake is not None and not self.wake.done():
                self.wake.set_result(None)

    async def _ground(self) -> None:
        """Cancel what is under way and wait for it; keep what had finished."""
        self.backlog.clear()
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)
        self.state.outputs.update({step.id: output for step, output in self.landed if step.body is None})


def _land(
    loop: asyncio.AbstractEventLoop, landed: asyncio.Future[Any], value: Any, fault: BaseException | None
) -> None:
    """Hand the outcome of a thread to the loop, if both still want it."""

    def settle() -> None:
        if not landed.done():
            landed.set_result((value, fault))

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


async def _done(value: Any) -> Any:
    return value
