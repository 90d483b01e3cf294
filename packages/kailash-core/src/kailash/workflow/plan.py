"""A compiled workflow: steps in a fixed order with all that a run needs to know about each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kailash.expressions import Expression, Reference
from kailash.nodes.nodetype import Effect, NodeType
from kailash.workflow.inputs import StepInputs
from kailash.workflow.spec import StepSpec
from kailash.workflow.state import State


class Gate(msgspec.Struct, frozen=True):
    """What decides whether a step is skipped.

    controls: (node, key): the step runs when one of these keys is in its node's output.
    feeds: (node, key): without controls, it runs unless all of these are missing.
    """

    controls: tuple[tuple[str, str], ...] = ()
    feeds: tuple[tuple[str, Any], ...] = ()

    def open(self, state: State) -> bool:
        """Whether the step runs, now that all that it waits for is done."""
        return any(key is None or key in state.outputs[node] for node, key in self._choices() if node in state.outputs)

    def _choices(self) -> tuple[tuple[str, Any], ...]:
        return self.controls or self.feeds


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """When a cycle turns again. sources: the steps whose outputs lead back; limit: turns."""

    name: str
    sources: tuple[str, ...]
    limit: int
    strict: bool  # whether reaching the limit is an error
    converge_when: Expression | None
    getters: Mapping[Reference, Callable[[State], Any]]

    def converged(self, state: State) -> bool:
        """Whether the condition holds after a turn."""
        if self.converge_when is None:
            return False
        return bool(self.converge_when.evaluate(lambda reference: self.getters[reference](state)))


class Step:
    """One compiled step, or a cycle of steps (*body*)."""

    __slots__ = (
        "arun", "body", "dependents", "feedback", "gate", "id", "index", "inputs", "may_wait", "node", "plain", "run",
        "spec",
    )  # fmt: skip

    def __init__(self, spec: StepSpec, node: NodeType, inputs: StepInputs, gate: Gate | None = None) -> None:
        self.id = spec.id
        self.spec = spec
        self.node = node
        self.inputs = inputs
        self.gate = gate
        self.run = node.run
        self.arun = node.arun
        self.may_wait = node.may_wait
        self.plain = spec.retry is None and spec.timeout is None and spec.on_error == "fail" and not node.nests
        self.body: Plan | None = None
        self.feedback: Feedback | None = None
        self.index = 0
        self.dependents: tuple[Step, ...] = ()

    def __repr__(self) -> str:
        return f"Step({self.id!r}, {self.node.name})"


class Plan:
    """Steps in order. waits[i]: for how many others step *i* waits; first: those that wait for none.

    gated: whether any step may be skipped; only: the one step, where there is one and it is plain.
    """

    __slots__ = ("first", "gated", "only", "steps", "waits")

    def __init__(self, steps: Sequence[Step], edges: Sequence[set[int]]) -> None:
        self.steps = tuple(steps)
        dependents: list[list[Step]] = [[] for _ in steps]
        for index, step in enumerate(self.steps):
            step.index = index
            for source in edges[index]:
                dependents[source].append(step)
        for step, after in zip(self.steps, dependents, strict=True):
            step.dependents = tuple(after)
        self.waits = [len(needed) for needed in edges]
        self.first = tuple(step for step, count in zip(self.steps, self.waits, strict=True) if not count)
        self.gated = any(step.gate is not None for step in self.steps)
        self.only = self.steps[0] if len(steps) == 1 and self.steps[0].plain and not self.gated else None

    @property
    def effect(self) -> Effect:
        """The strongest effect of any step."""
        effects = {step.node.effect for step in self.flat()}
        return "writes" if "writes" in effects else "reads" if "reads" in effects else "pure"

    @property
    def may_wait(self) -> bool:
        """Whether any step may wait on the world."""
        return any(step.may_wait for step in self.flat())

    def flat(self) -> Iterator[Step]:
        """Yield every step that has a node, those inside cycles included, in order."""
        for step in self.steps:
            if step.body is None:
                yield step
            else:
                yield from step.body.flat()
