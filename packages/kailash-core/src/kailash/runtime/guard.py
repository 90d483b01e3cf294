"""One step with all its promises: remembered, limited in time, tried again, let pass; cycles turn by turn.

A plan: it decides, and asks its runtime to attempt, to pause and to walk. Both runtimes answer it.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

from kailash.context import Context
from kailash.errors import DeadlineExceededError, NodeExecutionError, NodeTimeoutError, RunCancelledError
from kailash.nodes.scope import Scope
from kailash.runtime.base import Run
from kailash.runtime.effects import OutOfTimeError, StepPlan, attempt, pause, turn
from kailash.runtime.record import MISSING
from kailash.workflow.plan import Plan, Step
from kailash.workflow.state import State


def guard(run: Run, step: Step, state: State, scope: Scope, prefix: str) -> StepPlan[Any]:
    """Run *step* and return its output; nothing for a cycle.

    Raises: WorkflowExecutionError.
    """
    path = prefix + step.id
    started = run.clock.now()
    if run.journal is not None and step.body is None and (known := run.journal.recall(path)) is not MISSING:
        run.tell(step, path, "recalled", started, 1)
        if step.spec.on_error == "continue" and known.get("failed") is True:
            state.failed.add(step.id)
        return known
    tries = 1
    while True:
        try:
            run.tell(step, path, "started", started, tries)
            output = yield from _once(run, step, state, scope.within(_context(run, step, scope), path), prefix)
            break
        except Exception as error:  # noqa: BLE001 - of the author's node, chained in the error of the run
            delay = _delay(run, step, scope, tries, error)
            if delay is None:
                output = _give_up(run, step, state, scope, path, (started, tries), error)
                break
            run.tell(step, path, "retrying", started, tries, error)
        yield from pause(delay)
        tries += 1
    if step.body is None:
        run.tell(step, path, "finished", started, tries)
        if run.journal is not None:
            run.journal.note(path, output)
    return output


def _once(run: Run, step: Step, state: State, scope: Scope, prefix: str) -> StepPlan[Any]:
    run.check(scope.context)
    if step.body is not None:
        yield from _turns(step, step.body, state, prefix)
        return None
    try:
        output = yield from attempt(step, scope, run.limit(step, scope.context))
    except OutOfTimeError:
        run.check(scope.context if step.spec.timeout is None else run.scope.context)
        raise NodeTimeoutError(
            f"node {step.id!r} took longer than {step.spec.timeout:g} s", hint="give it a longer timeout"
        ) from None
    return output if step.node.native else run.output(step, output)


def _turns(step: Step, body: Plan, state: State, prefix: str) -> StepPlan[None]:
    feedback = step.feedback
    assert feedback is not None
    members = [member.id for member in body.flat()]
    state.feedback.pop(feedback.name, None)
    for number in range(1, feedback.limit + 1):
        for member in members:
            state.outputs.pop(member, None)
        yield from turn(body, f"{prefix}{feedback.name}#{number}.")
        state.feedback[feedback.name] = {
            source: state.outputs[source] for source in feedback.sources if source in state.outputs
        }
        if feedback.converged(state):
            return
    if feedback.strict:
        raise NodeExecutionError(
            f"cycle {feedback.name!r} did not converge in {feedback.limit} turns",
            hint="see converge_when, or set max_iterations",
        )


def _context(run: Run, step: Step, scope: Scope) -> Context:
    """The context of one attempt: its deadline is no later than the step's timeout."""
    if step.spec.timeout is None:
        return scope.context
    end = run.clock.now() + step.spec.timeout
    deadline = scope.context.deadline
    return msgspec.structs.replace(scope.context, deadline=end if deadline is None else min(deadline, end))


def _delay(run: Run, step: Step, scope: Scope, tries: int, error: Exception) -> float | None:
    """Seconds to wait before another attempt; None when there is to be none."""
    if step.spec.retry is None or run.forked or isinstance(error, RunCancelledError):
        return None
    delay = step.spec.retry.delay_before(tries + 1, error, random.random())
    deadline = scope.context.deadline
    if delay is not None and deadline is not None and run.clock.now() + delay >= deadline:
        return None
    return delay


def _give_up(
    run: Run, step: Step, state: State, scope: Scope, path: str, tried: tuple[float, int], error: Exception
) -> Any:
    """The output of a failed step that is let pass. Raises: WorkflowExecutionError for any other."""
    scope.failures.append((path, error))
    started, tries = tried
    run.tell(step, path, "failed", started, tries, error)
    ended = isinstance(error, RunCancelledError) or (isinstance(error, DeadlineExceededError) and _late(run, scope))
    if step.spec.on_error == "continue" and step.body is None and not run.forked and not ended:
        return run.let_pass(step, state, error)
    failed = run.failed(step, state, error)
    raise failed from failed.__cause__


def _late(run: Run, scope: Scope) -> bool:
    deadline = scope.context.deadline
    return deadline is not None and run.clock.now() >= deadline
