"""Both runtimes against a simple sequential model, over random graphs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kailash import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder
from kailash.nodes.nodetype import Effect, NodeType, Values
from kailash.nodes.scope import Scope


class World:
    """Something that nodes read and write: what they did, in order, and what each saw."""

    def __init__(self) -> None:
        self.version = 0
        self.lock = threading.Lock()
        self.reading = 0
        self.log: list[str] = []

    def touch(self, name: str, effect: Effect) -> int:
        with self.lock:
            self.log.append(name)
            if effect == "writes":
                self.version += 1
            return self.version

    def type_of(self, name: str, effect: Effect, *, coroutine: bool) -> NodeType:
        def run(values: Values, scope: Scope) -> Values:
            saw = 0 if effect == "pure" else self.touch(name, effect)
            return {"saw": saw, "sum": sum(values.values()) + 1}

        async def arun(values: Values, scope: Scope) -> Values:
            await asyncio.sleep(0)
            return run(values, scope)

        both = {"arun": arun} if coroutine else {"run": run}
        return NodeType(name=name, effect=effect, open=True, **both)


Node = tuple[Effect, bool, list[int], bool]


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """(effect, whether it is a coroutine, earlier nodes it refers to, whether it is written before them)."""
    count = draw(st.integers(1, 14))
    effect: st.SearchStrategy[Effect] = st.sampled_from(("pure", "reads", "reads", "writes"))
    return [
        (
            draw(effect),
            draw(st.booleans()),
            sorted(draw(st.sets(st.integers(0, index - 1), max_size=3))) if index else [],
            draw(st.booleans()),
        )
        for index in range(count)
    ]


def program_of(graph: list[Node]) -> list[int]:
    """The order in which the author writes the nodes: some before what they refer to."""
    program: list[int] = []
    for index, (_, _, _, early) in enumerate(graph):
        program.insert(0 if early else len(program), index)
    return program


def sequential(graph: list[Node], program: list[int]) -> tuple[dict[str, Any], list[str]]:
    """The model: one after another, each time the first in the program whose references are there."""
    done: dict[int, dict[str, int]] = {}
    log: list[str] = []
    version = 0
    while len(done) < len(graph):
        index = next(i for i in program if i not in done and all(ref in done for ref in graph[i][2]))
        effect, _, refs, _ = graph[index]
        if effect != "pure":
            log.append(f"n{index}")
        version += effect == "writes"
        done[index] = {"saw": 0 if effect == "pure" else version, "sum": sum(done[ref]["sum"] for ref in refs) + 1}
    return {f"n{index}": output for index, output in done.items()}, log


@pytest.mark.parametrize("face", ["blocking", "asyncio"])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs())
def test_a_run_gives_what_the_steps_would_give_one_after_another(face: str, graph: list[Node]) -> None:
    world = World()
    program = program_of(graph)
    workflow = WorkflowBuilder()
    for index in program:
        effect, coroutine, refs, _ = graph[index]
        config = {f"in{ref}": f"$n{ref}.sum" for ref in refs}
        workflow.add_node(world.type_of(f"T{index}", effect, coroutine=coroutine), f"n{index}", config)

    if face == "blocking":
        results, _ = LocalRuntime().execute(workflow)
    else:
        results, _ = asyncio.run(AsyncLocalRuntime().execute(workflow))

    expected, log = sequential(graph, program)
    assert results == expected
    writes = {f"n{index}" for index, node in enumerate(graph) if node[0] == "writes"}
    assert [name for name in _named(world.log) if name in writes] == [name for name in log if name in writes]


def _named(log: list[str]) -> list[str]:
    return [f"n{name[1:]}" for name in log]


def test_reads_run_side_by_side_in_both_runtimes(face: str) -> None:
    """Each of two reads waits until the other has begun."""
    barrier = threading.Barrier(2)

    def meet(values: Values, scope: Scope) -> Values:
        barrier.wait(timeout=30)
        return {}

    workflow = WorkflowBuilder()
    for name in ("inventory", "revenue"):
        workflow.add_node(NodeType(name="Meet", run=meet, effect="reads"), name)
    if face == "blocking":
        results, _ = LocalRuntime().execute(workflow)
    else:
        results, _ = asyncio.run(AsyncLocalRuntime().execute(workflow))

    assert set(results) == {"inventory", "revenue"}


def test_ten_thousand_nodes_are_no_problem() -> None:
    noop = NodeType(name="Noop", run=lambda values, scope: values, effect="pure", open=True)
    workflow = WorkflowBuilder()
    workflow.add_node(noop, "n0", {"x": 1})
    for index in range(1, 10_000):
        workflow.add_node(noop, f"n{index}", {"x": f"$n{index - 1}.x"})
    built = workflow.build()

    assert LocalRuntime().execute(built)[0]["n9999"] == {"x": 1}
    assert asyncio.run(AsyncLocalRuntime().execute(built))[0]["n9999"] == {"x": 1}
