"""A workflow as a capability: what channels see of it. And the choice of a runtime by name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal, overload

from kailash.capability import Capability, Inputs, Nature
from kailash.context import Context
from kailash.errors import RuntimeExecutionError, did_you_mean
from kailash.runtime.aio import AsyncLocalRuntime
from kailash.runtime.local import LocalRuntime
from kailash.workflow.graph import Workflow


class WorkflowIntake:
    """What a workflow accepts: its inputs by name, and ``{node id: {input: value}}``."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow

    def schema(self) -> dict[str, Any]:
        return self._workflow.inputs

    def accept(self, given: Inputs) -> Any:
        self._workflow.begin(None, given)
        return dict(given)


def capability_of(
    name: str,
    workflow: Workflow,
    *,
    summary: str = "",
    runtime: LocalRuntime | None = None,
    aruntime: AsyncLocalRuntime | None = None,
) -> Capability:
    """Return the capability that runs *workflow*.

    Its result is ``{"outputs": {node id: output}, "workflow_id", "run_id", "execution_time"}``, in seconds.
    """
    blocking, under_loop = runtime or LocalRuntime(), aruntime or AsyncLocalRuntime()

    def call(given: Any, context: Context) -> Mapping[str, Any]:
        started = time.monotonic()
        return run_result(name, started, blocking.execute(workflow, parameters=given, context=context))

    async def acall(given: Any, context: Context) -> Mapping[str, Any]:
        started = time.monotonic()
        return run_result(name, started, await under_loop.execute(workflow, parameters=given, context=context))

    return Capability(
        name=name,
        summary=summary or workflow.description or f"Run the workflow {name}.",
        nature=Nature.WRITE if workflow.effect == "writes" else Nature.READ,
        inputs=WorkflowIntake(workflow),
        output=output_schema,
        call=call,
        acall=acall,
        picture=workflow.to_mermaid,
    )


def run_result(name: str, started: float, ran: tuple[dict[str, Any], str]) -> dict[str, Any]:
    """Return what a run of the workflow *name* answers. started: seconds of time.monotonic()."""
    outputs, run_id = ran
    return {
        "outputs": outputs,
        "workflow_id": name,
        "run_id": run_id,
        "execution_time": round(time.monotonic() - started, 6),
    }


def output_schema() -> dict[str, Any]:
    """Return the JSON Schema of `run_result`."""
    return {
        "type": "object",
        "properties": {
            "outputs": {"type": "object", "description": "what each node gave, by node id"},
            "workflow_id": {"type": "string"},
            "run_id": {"type": "string"},
            "execution_time": {"type": "number", "description": "seconds"},
        },
        "required": ["outputs", "workflow_id", "run_id", "execution_time"],
    }


@overload
def get_runtime(kind: Literal["sync"] = "sync", **options: Any) -> LocalRuntime: ...
@overload
def get_runtime(kind: Literal["async"], **options: Any) -> AsyncLocalRuntime: ...
def get_runtime(kind: str = "sync", **options: Any) -> LocalRuntime | AsyncLocalRuntime:
    """Return a runtime: "sync" or "async".

    Raises: RuntimeExecutionError for another word.
    """
    if kind == "sync":
        return LocalRuntime(**options)
    if kind == "async":
        return AsyncLocalRuntime(**options)
    raise RuntimeExecutionError(f"no runtime is {kind!r}", hint=did_you_mean(kind, ["sync", "async"]))
