"""A workflow as written -> a plan, or the list of everything that is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import msgspec

from kailash.errors import KailashError, Problem, did_you_mean
from kailash.expressions import Expression, Space, compile_expression
from kailash.expressions.paths import ABSENT, Reference, dig, path_of
from kailash.nodes.base import type_of
from kailash.nodes.nodetype import NodeType
from kailash.nodes.registry import NodeRegistry
from kailash.workflow import order
from kailash.workflow.assemble import Part, assemble
from kailash.workflow.inputs import StepInputs
from kailash.workflow.plan import Feedback, Plan
from kailash.workflow.references import Author, Binding
from kailash.workflow.spec import MAX_ITERATIONS, Connection, CycleSpec, StepSpec, WorkflowSpec
from kailash.workflow.state import State

CHOICES: Final = ("db_instance", "model_name", "database_url")  # settings that choose among providers


class Compiled(msgspec.Struct, frozen=True):
    """What compiling gave. plan is None when there are problems, or when node types are not known yet (late)."""

    plan: Plan | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    late: tuple[str, ...]  # node types that no provider is there for yet


def compile_workflow(spec: WorkflowSpec, registry: NodeRegistry, *, final: bool = False) -> Compiled:
    """Return the plan of *spec* with everything checked that can be checked before a run.

    final: an unknown node type is a problem even when no provider has come yet.
    """
    compiler = _Compiler(spec, registry, final=final)
    plan = compiler.plan()
    problems = tuple(compiler.problems)
    whole = plan if not problems and not compiler.late else None
    return Compiled(whole, problems, tuple(compiler.warnings), tuple(compiler.late))


class _Compiler:
    def __init__(self, spec: WorkflowSpec, registry: NodeRegistry, *, final: bool) -> None:
        self.spec = spec
        self.final = final
        self.registry = registry
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.late: list[str] = []
        self.index = {step.id: index for index, step in enumerate(spec.steps)}
        self.nodes: list[NodeType] = []
        self.edges: list[set[int]] = [set() for _ in spec.steps]
        self.sources: list[dict[str, list[Binding]]] = [{} for _ in spec.steps]
        self.controls: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self.feeds: dict[int, list[tuple[str, Any]]] = defaultdict(list)

    def plan(self) -> Plan | None:
        self._check_ids()
        self.nodes = [self._node(step) for step in self.spec.steps]
        self.author = Author(self._classify, self.index, self._soft)
        for index, step in enumerate(self.spec.steps):
            self._read(index, step)
        connections = [each for each in self.spec.connections if self._joins(each)]
        for connection in connections:
            self._connect(connection)
        bodies = self._bodies()
        parts = [self._part(index, step) for index, step in enumerate(self.spec.steps)]
        plan, problem = assemble(parts, bodies)
        if problem is not None:
            self.problems.append(problem)
        return plan

    def _part(self, index: int, step: StepSpec) -> Part:
        inputs = StepInputs(step.id, self.nodes[index], self.sources[index])
        for refusal in inputs.refusals():
            self.problem(f"{step.id}.{refusal.field}", refusal.code, f"node {step.id!r}: {refusal.message}")
        return Part(
            spec=step,
            node=self.nodes[index],
            inputs=inputs,
            needs=self.edges[index],
            controls=tuple(self.controls.get(index, ())),
            feeds=tuple(self.feeds.get(index, ())),
        )

    def problem(self, where: str, code: str, message: str) -> None:
        self.problems.append(Problem(where, code, message))

    def fault(self, where: str, error: KailashError) -> None:
        self.problem(where, error.code, f"node {where!r}: {error}")

    def _check_ids(self) -> None:
        seen = set()
        for step in self.spec.steps:
            if step.id in seen:
                self.problem(step.id, "duplicate_id", f"two nodes are named {step.id!r}")
            seen.add(step.id)

    # -- node types

    def _node(self, step: StepSpec) -> NodeType:
        try:
            found = self._find(step) if isinstance(step.type, str) else type_of(step.type)
            if found is None:
                return self._unknown(step)
            return found.prepare(step.config) if found.prepare is not None else found
        except KailashError as error:
            self.fault(step.id, error)
            return _anything(step.type)

    def _find(self, step: StepSpec) -> NodeType | None:
        found = self.registry.find(step.type)
        provider = step.config.get("db_instance")
        if provider is None or (found is not None and found.origin):
            return found
        return self.registry.find(step.type, provider=provider)

    def _unknown(self, step: StepSpec) -> NodeType:
        if self.final or self.registry.providers:
            hint = self.registry.suggest(step.type)
            self.problem(step.id, "unknown_node_type", f"node {step.id!r}: no node type is {step.type!r}; {hint}")
        else:
            self.late.append(step.type)
        return _anything(step.type)

    def _classify(self, word: str) -> Space | None:
        if word in self.index:
            return "node"
        return "input" if word == "input" else "context" if word == "context" else None

    def _soft(self, name: str) -> bool:
        return self.nodes[self.index[name]].routes

    # -- what the author wrote

    def _read(self, index: int, step: StepSpec) -> None:
        node = self.nodes[index]
        for name, value in step.config.items():
            if name in node.branches:
                self._branch(index, name, value)
            elif name not in node.settings and not self._is_choice(node, name):
                self._bind(index, name, value)

    def _is_choice(self, node: NodeType, name: str) -> bool:
        """Whether *name* only says which database is meant, and is no input of a generated node."""
        return name in CHOICES and not node.origin and name not in node.schema()["properties"]

    def _bind(self, index: int, name: str, value: Any) -> None:
        step, node = self.spec.steps[index], self.nodes[index]
        try:
            if name in node.expressions and isinstance(value, str):
                binding = self.author.expression(compile_expression(value, self._classify))
            else:
                binding = self.author.binding(value)
        except KailashError as error:
            self.problem(f"{step.id}.{name}", error.code, f"node {step.id!r}, {name!r}: {error}")
            return
        self._use(index, name, binding)

    def _use(self, index: int, name: str, binding: Binding) -> None:
        self.sources[index].setdefault(name, []).append(binding)
        for reference in binding.references:
            if reference.space == "local":
                known = did_you_mean(f"${reference.name}", [f"${each}" for each in self.index])
                where = self.spec.steps[index].id
                self.problem(where, "unknown_reference", f"node {where!r}: {reference.name!r} is no node; {known}")
            if reference.space == "node":
                self.edges[index].add(self.index[reference.name])

    def _branch(self, index: int, name: str, value: Any) -> None:
        where = self.spec.steps[index].id
        targets = [value] if isinstance(value, str) else value or []
        if not isinstance(targets, list | tuple) or not all(isinstance(each, str) for each in targets):
            self.problem(where, "wrong_type", f"node {where!r}: {name!r} must be a node's id or a list of them")
            return
        for target in targets:
            if target in self.index:
                self.controls[self.index[target]].append((where, name))
                self.edges[self.index[target]].add(index)
            else:
                self.warnings.append(f"node {where!r}: {name!r} is {target!r}, which is no node: nothing will be done")

    # -- connections

    def _joins(self, connection: Connection) -> bool:
        missing = [end for end in (connection.source, connection.target) if end not in self.index]
        for end in missing:
            hint = did_you_mean(end, self.index)
            self.problem(end, "unknown_node", f"a connection names {end!r}, which is no node; {hint}")
        return not missing

    def _connect(self, connection: Connection) -> None:
        target = self.index[connection.target]
        reference = Reference("node", connection.source, path_of(connection.output))
        if connection.input:
            self.sources[target].setdefault(connection.input, []).insert(0, self.author.reference(reference))
        self.feeds[target].append((connection.source, reference.path[0] if reference.path else None))
        self.edges[target].add(self.index[connection.source])

    # -- cycles

    def _bodies(self) -> list[tuple[set[int], Feedback]]:
        bodies: list[tuple[set[int], Feedback]] = []
        taken: set[int] = set()
        for cycle in self.spec.cycles:
            body = self._body(cycle)
            if body & taken:
                self.problem(cycle.name, "overlapping_cycles", f"cycle {cycle.name!r} shares nodes with another")
            elif body and (feedback := self._feedback(cycle)):
                taken |= body
                bodies.append((body, feedback))
        return bodies

    def _body(self, cycle: CycleSpec) -> set[int]:
        body: set[int] = set()
        if not cycle.connections or (cycle.max_iterations is None and not cycle.converge_when):
            self.problem(
                cycle.name,
                "endless_cycle",
                f"cycle {cycle.name!r} needs a connection, and max_iterations or converge_when",
            )
            return body
        for back in [each for each in cycle.connections if self._joins(each)]:
            way = order.between(self.edges, self.index[back.target], self.index[back.source])
            if not way:
                self.problem(
                    cycle.name,
                    "no_cycle",
                    f"cycle {cycle.name!r}: nothing leads from {back.target!r} to {back.source!r}",
                )
            self._feed_back(cycle.name, back)
            body |= way
        return body

    def _feed_back(self, name: str, back: Connection) -> None:
        source, path = back.source, path_of(back.output)

        def get(state: State) -> Any:
            before = state.feedback.get(name)
            return ABSENT if before is None or source not in before else dig(before[source], path)

        self.sources[self.index[back.target]].setdefault(back.input, []).insert(0, Binding(get=get))

    def _feedback(self, cycle: CycleSpec) -> Feedback | None:
        last = cycle.connections[-1].source
        expression: Expression | None = None
        getters = {}
        try:
            if cycle.converge_when:
                expression = compile_expression(cycle.converge_when, self._classify)
                for reference in expression.references:
                    meant = reference
                    if reference.space == "local":
                        meant = Reference("node", last, (reference.name, *reference.path))
                    getters[reference] = self.author.reference(meant).get
        except KailashError as error:
            self.problem(cycle.name, error.code, f"cycle {cycle.name!r}: {error}")
            return None
        return Feedback(
            name=cycle.name,
            sources=tuple({back.source for back in cycle.connections}),
            limit=cycle.max_iterations or MAX_ITERATIONS,
            strict=cycle.max_iterations is None,
            converge_when=expression,
            getters={reference: get for reference, get in getters.items() if get is not None},
        )


def _anything(declared: Any) -> NodeType:
    """A stand-in for a node type that is not known: it lets the rest of the workflow be checked."""
    name = declared if isinstance(declared, str) else type(declared).__name__
    return NodeType(name=name, run=lambda values, scope: {}, open=True, effect="pure", routes=True)
