"""Nodes that run workflows: one inside another, and one for each item of a list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from kailash.errors import NodeConfigurationError, NodeValidationError
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.parameters import Parameters
from kailash.nodes.scope import Runner, Scope
from kailash.shapes import REQUIRED, Field

HERE: Final = "kailash.nodes.nested:"
MAX_CONCURRENCY: Final = 16  # items at once under asyncio; arbitrary, below the usual size of a connection pool


def _workflow_of(config: Mapping[str, Any], name: str) -> Any:
    workflow: Any = config.get("workflow")
    if hasattr(workflow, "build"):
        workflow = workflow.build()
    if not hasattr(workflow, "plan"):
        raise NodeConfigurationError(f"{name} needs a workflow", hint="give workflow=<a built workflow>")
    return workflow


def _runner(scope: Scope) -> Runner:
    if scope.runner is None:
        raise NodeConfigurationError("a nested workflow runs inside a runtime only")
    return scope.runner


def _prepare_workflow(config: Mapping[str, Any]) -> NodeType:
    workflow = _workflow_of(config, "WorkflowNode")

    def run(values: Values, scope: Scope) -> Values:
        return _runner(scope).run(workflow, _inputs(values), scope, scope.path)

    async def arun(values: Values, scope: Scope) -> Values:
        return await _runner(scope).arun(workflow, _inputs(values), scope, scope.path)

    return NodeType(
        name="WorkflowNode",
        run=run,
        arun=arun,
        inputs=Parameters("WorkflowNode", [Field("inputs", dict[str, Any], {}, "the workflow's inputs by name")]),
        open=True,
        effect=workflow.effect,
        native=True,
        nests=True,
        settings=frozenset({"workflow"}),
        summary=WORKFLOW_SUMMARY,
        origin=f"{HERE}WorkflowNode",
    )


def _inputs(values: Values) -> Values:
    """Inputs under ``inputs`` and beside it."""
    beside = {name: value for name, value in values.items() if name != "inputs"}
    return {**values.get("inputs", {}), **beside}


WORKFLOW_SUMMARY: Final = "Run a workflow as one step; its output is {node id: output}."
WORKFLOW: Final = NodeType(
    name="WorkflowNode", prepare=_prepare_workflow, summary=WORKFLOW_SUMMARY, origin=f"{HERE}WorkflowNode"
)


def _prepare_loop(config: Mapping[str, Any]) -> NodeType:
    workflow = _workflow_of(config, "LoopNode")
    item, index = str(config.get("item_name", "item")), str(config.get("index_name", ""))

    def turns(values: Values, scope: Scope) -> list[tuple[Values, str]]:
        items = values["items"]
        if isinstance(items, str | Mapping) or not hasattr(items, "__iter__"):
            raise NodeValidationError(f"'items' must be a list, not {type(items).__name__}")
        shared = values.get("inputs", {})
        return [
            ({**shared, item: each, **({index: place} if index else {})}, f"{scope.path}.{place}")
            for place, each in enumerate(items)
        ]

    def run(values: Values, scope: Scope) -> Values:
        runner = _runner(scope)
        return _gathered([runner.run(workflow, each, scope, path) for each, path in turns(values, scope)])

    async def arun(values: Values, scope: Scope) -> Values:
        limit = 1 if workflow.effect == "writes" else int(values.get("max_concurrency", MAX_CONCURRENCY))
        return _gathered(await _side_by_side(workflow, turns(values, scope), scope, limit))

    return NodeType(
        name="LoopNode",
        run=run,
        arun=arun,
        inputs=Parameters(
            "LoopNode",
            [
                Field("items", Any, REQUIRED, "the list"),
                Field("inputs", dict[str, Any], {}, "inputs that every turn gets"),
                Field("max_concurrency", int, MAX_CONCURRENCY, "turns at once, when none of them writes"),
            ],
        ),
        effect=workflow.effect,
        native=True,
        nests=True,
        settings=frozenset({"workflow", "item_name", "index_name"}),
        summary=LOOP_SUMMARY,
        origin=f"{HERE}LoopNode",
    )


def _gathered(results: list[Values]) -> Values:
    return {"results": results, "count": len(results)}


async def _side_by_side(workflow: Any, turns: list[tuple[Values, str]], scope: Scope, limit: int) -> list[Values]:
    """Run the turns, at most *limit* at once, in order when it is 1."""
    runner = _runner(scope)
    if limit <= 1 or len(turns) == 1:
        return [await runner.arun(workflow, each, scope, path) for each, path in turns]
    results: dict[int, Values] = {}
    waiting = iter(enumerate(turns))

    async def work() -> None:
        for place, (each, path) in waiting:
            results[place] = await runner.arun(workflow, each, scope, path)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(limit, len(turns))):
                group.create_task(work())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [results[place] for place in range(len(turns))]


LOOP_SUMMARY: Final = "Run a workflow for each item of a list."
LOOP: Final = NodeType(name="LoopNode", prepare=_prepare_loop, summary=LOOP_SUMMARY, origin=f"{HERE}LoopNode")
TYPES: Final = {"WorkflowNode": WORKFLOW, "LoopNode": LOOP, "MapNode": LOOP}
