"""One step that is a coroutine, awaited: what both runtimes do with it, each on its own event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from kailash.errors import NodeExecutionError
from kailash.nodes.nodetype import ARun
from kailash.nodes.scope import Scope
from kailash.runtime.base import Run
from kailash.workflow.plan import Step
from kailash.workflow.state import State


async def aquick(run: Run, step: Step, arun: ARun, state: State, scope: Scope) -> Any:
    """Run a plain step on this loop and return its output.

    Raises: WorkflowExecutionError.
    """
    try:
        output = await arun(step.inputs(state), scope)
        return output if step.node.native else run.output(step, output)
    except Exception as error:  # noqa: BLE001 - of the author's node, chained in the error of the run
        fault: BaseException = error
    except asyncio.CancelledError:
        fault = own_cancellation(step)
    scope.failures.append((step.id, fault))
    failed = run.failed(step, state, fault)
    raise failed from failed.__cause__


def own_cancellation(step: Step) -> BaseException:
    """Return what a cancellation inside a node is if it was the node's own; raise it on if it is the run's."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise  # noqa: PLE0704 - called while the cancellation is handled
    return NodeExecutionError(f"node {step.id!r} was cancelled from inside")
