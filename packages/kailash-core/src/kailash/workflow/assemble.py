"""Checked parts -> a plan: cycles folded into one step each, effects ordered, gates where a step may be skipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kailash.errors import Problem
from kailash.nodes.nodetype import Effect, NodeType
from kailash.workflow import order
from kailash.workflow.inputs import StepInputs
from kailash.workflow.plan import Feedback, Gate, Plan, Step
from kailash.workflow.spec import StepSpec


class Part(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One step with what leads to it. needs: indices of the parts that must be done before."""

    spec: StepSpec
    node: NodeType
    inputs: StepInputs
    needs: set[int]
    controls: tuple[tuple[str, str], ...]
    feeds: tuple[tuple[str, Any], ...]


def assemble(parts: Sequence[Part], bodies: Sequence[tuple[set[int], Feedback]]) -> tuple[Plan | None, Problem | None]:
    """Return the plan, or the problem that there is a circle no cycle was declared for."""
    return _Assembly(parts).plan(range(len(parts)), bodies)


class _Assembly:
    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.by_id = {part.spec.id: part for part in parts}
        self.uncertain: set[str] = set()  # steps that may be skipped or may not have all of their outputs

    def plan(
        self, members: Sequence[int], bodies: Sequence[tuple[set[int], Feedback]]
    ) -> tuple[Plan | None, Problem | None]:
        groups = _groups(members, bodies)
        home = {member: number for number, (group, _) in enumerate(groups) for member in group}
        edges = [
            {home[need] for member in group for need in self.parts[member].needs if need in home} - {number}
            for number, (group, _) in enumerate(groups)
        ]
        for number, (group, feedback) in enumerate(groups):
            if feedback is None and group[0] in self.parts[group[0]].needs:
                edges[number].add(number)
        sequence, stuck = order.arrange(edges)
        if stuck:
            return None, self._circle(groups, order.circle(edges, stuck))
        edges = order.with_effects(edges, [self._effect(group) for group, _ in groups], sequence)
        return self._steps(groups, sequence, edges)

    def _steps(
        self, groups: Sequence[tuple[list[int], Feedback | None]], sequence: list[int], edges: Sequence[set[int]]
    ) -> tuple[Plan | None, Problem | None]:
        steps = []
        for number in sequence:
            group, feedback = groups[number]
            if feedback is None:
                steps.append(self._step(self.parts[group[0]]))
                continue
            body, problem = self.plan(group, ())
            if body is None:
                return None, problem
            steps.append(_cycle(body, feedback))
        position = {number: place for place, number in enumerate(sequence)}
        return Plan(steps, [{position[need] for need in edges[number]} for number in sequence]), None

    def _step(self, part: Part) -> Step:
        feeds = tuple(
            (source, key if self._partial(source) else None) for source, key in part.feeds if source in self.uncertain
        )
        gated = part.controls or (feeds and len(feeds) == len(part.feeds))
        if gated or part.node.routes or part.spec.on_error == "continue":
            self.uncertain.add(part.spec.id)
        gate = Gate(part.controls, feeds) if gated else None
        return Step(part.spec, part.node, part.inputs, gate)

    def _partial(self, source: str) -> bool:
        part = self.by_id[source]
        return part.node.routes or part.spec.on_error == "continue"

    def _effect(self, group: Sequence[int]) -> Effect:
        effects = {self.parts[member].node.effect for member in group}
        return "writes" if "writes" in effects else "reads" if "reads" in effects else "pure"

    def _circle(self, groups: Sequence[tuple[list[int], Feedback | None]], numbers: list[int]) -> Problem:
        names = [self.parts[groups[number][0][0]].spec.id for number in numbers]
        way = " -> ".join(names)
        return Problem(names[0], "cycle", f"these nodes wait for one another: {way}; declare it with create_cycle()")


def _groups(
    members: Sequence[int], bodies: Sequence[tuple[set[int], Feedback]]
) -> list[tuple[list[int], Feedback | None]]:
    """The members, those of a cycle together, in program order of their first."""
    inside = {member for body, _ in bodies for member in body}
    groups: list[tuple[list[int], Feedback | None]] = [([member], None) for member in members if member not in inside]
    groups += [(sorted(body), feedback) for body, feedback in bodies]
    return sorted(groups, key=lambda group: group[0][0])


def _cycle(body: Plan, feedback: Feedback) -> Step:
    """The step that stands for a whole cycle."""
    name = f"cycle {feedback.name}"
    node = NodeType(
        name=name, run=lambda values, scope: {}, effect=body.effect, waits=body.may_wait, native=True, nests=True
    )
    step = Step(StepSpec(id=name, type=node), node, StepInputs(name, node, {}))
    step.body = body
    step.feedback = feedback
    return step
