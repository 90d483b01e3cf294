"""Writing a workflow, a call a step; `build` checks the whole and returns it frozen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kailash.errors import ConfigurationError
from kailash.nodes.registry import NodeRegistry
from kailash.workflow import serialize
from kailash.workflow.graph import Workflow
from kailash.workflow.retry import retry_of
from kailash.workflow.spec import Connection, CycleSpec, OnError, StepSpec, WorkflowSpec


class WorkflowBuilder:
    """Collects steps and connections. Nothing is looked up or checked before `build`.

    registry: where node types are found; default: the shared one.
    """

    def __init__(self, name: str = "", description: str = "", *, registry: NodeRegistry | None = None) -> None:
        self.name = name
        self.description = description
        self._registry = registry
        self._steps: list[StepSpec] = []
        self._connections: list[Connection] = []
        self._cycles: list[CycleSpec] = []
        self._taken: set[str] = set()
        self._made: dict[str, int] = {}  # how many ids were made from a type's name

    def add_node(
        self,
        node_type: Any,
        node_id: str | Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        retry: Any = None,
        timeout: float | None = None,
        on_error: OnError = "fail",
        **inputs: Any,
    ) -> str:
        """Add a step and return its id.

        node_type: a registered name, a node class, an instance of one, or a function. node_id: default, one
        made from the type's name. config: inputs as constants, references (``$order.total``, ``{{email}}``)
        or both, nested as you like; *inputs* are added to them. retry: attempts, or a `RetryPolicy`.
        timeout: seconds for one attempt. on_error: "continue" puts ``{"error", "failed"}`` in the results.
        """
        if isinstance(node_id, Mapping):
            node_id, config = None, {**node_id, **(config or {})}  # type: ignore[dict-item]  # both are mappings
        if on_error not in ("fail", "continue"):
            raise ConfigurationError(f"on_error cannot be {on_error!r}", hint="use 'fail' or 'continue'")
        if timeout is not None and not timeout > 0:
            raise ConfigurationError("a timeout must be more than 0 seconds")
        step = StepSpec(
            id=self._name(node_type) if node_id is None else str(node_id),
            type=node_type,
            config={str(name): _copied(value) for name, value in {**(config or {}), **inputs}.items()},
            retry=retry_of(retry),
            timeout=timeout,
            on_error=on_error,
        )
        self._steps.append(step)
        self._taken.add(step.id)
        return step.id

    def add_connection(self, source: str, output: str, target: str, input: str) -> WorkflowBuilder:
        """Give the value at *output* (a dotted path) of *source* to *target* as *input*."""
        self._connections.append(Connection(source, output, target, input))
        return self

    def connect(
        self,
        source: str,
        target: str,
        mapping: Mapping[str, str] | None = None,
        *,
        from_output: str = "",
        to_input: str = "",
    ) -> WorkflowBuilder:
        """Connect outputs to inputs, ``{output: input}``; without any, *target* just runs after *source*."""
        for output, name in (mapping or {from_output: to_input}).items():
            self.add_connection(source, output, target, name)
        return self

    def add_workflow(
        self, node_id: str, workflow: Workflow | WorkflowBuilder, inputs: Mapping[str, Any] | None = None
    ) -> str:
        """Add a whole workflow as one step; its output is ``{node id: output}`` of the workflow inside."""
        return self.add_node("WorkflowNode", node_id, {"workflow": workflow, "inputs": dict(inputs or {})})

    def add_workflow_inputs(self, node_id: str, inputs: Mapping[str, str]) -> WorkflowBuilder:
        """Give workflow inputs to a step: ``{workflow input: the step's input}``."""
        for index, step in enumerate(self._steps):
            if step.id == node_id:
                named = {parameter: f"{{{{{name}}}}}" for name, parameter in inputs.items()}
                self._steps[index] = _with_config(step, {**step.config, **named})
                return self
        raise ConfigurationError(f"no node is named {node_id!r}", hint="add the node first")

    def create_cycle(self, name: str) -> CycleBuilder:
        """Begin a cycle: steps that are repeated. It counts once its ``build()`` is called."""
        return CycleBuilder(self, name)

    def build(self, name: str = "") -> Workflow:
        """Return the workflow, frozen; the builder can be used on.

        Raises: WorkflowValidationError, listing every problem.
        """
        return Workflow(self.spec(name), self._registry)

    def spec(self, name: str = "") -> WorkflowSpec:
        """Return what was written so far, unchecked."""
        return WorkflowSpec(
            name=name or self.name,
            description=self.description,
            steps=tuple(self._steps),
            connections=tuple(self._connections),
            cycles=tuple(self._cycles),
        )

    def copy(self) -> WorkflowBuilder:
        """Return a builder with what this one holds now."""
        made = WorkflowBuilder(self.name, self.description, registry=self._registry)
        made._steps, made._connections, made._cycles = [*self._steps], [*self._connections], [*self._cycles]
        made._taken, made._made = set(self._taken), dict(self._made)
        return made

    @classmethod
    def from_dict(cls, written: Mapping[str, Any], *, registry: NodeRegistry | None = None) -> WorkflowBuilder:
        """Return a builder with the workflow that *written* describes. Raises: WorkflowValidationError."""
        spec = serialize.read(written, lambda nested: Workflow(nested, registry))
        builder = cls(spec.name, spec.description, registry=registry)
        builder._steps = list(spec.steps)
        builder._taken = {step.id for step in spec.steps}
        builder._connections = list(spec.connections)
        builder._cycles = list(spec.cycles)
        return builder

    def _name(self, node_type: Any) -> str:
        """An id that is free: "order_create", "order_create_2"."""
        name = node_type if isinstance(node_type, str) else getattr(node_type, "__name__", type(node_type).__name__)
        stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removesuffix("Node")).lower() or "node"
        while True:
            self._made[stem] = number = self._made.get(stem, 0) + 1
            free = stem if number == 1 else f"{stem}_{number}"
            if free not in self._taken:
                return free


class CycleBuilder:
    """Writes one cycle: where it leads back, and when it ends."""

    def __init__(self, builder: WorkflowBuilder, name: str) -> None:
        self._builder = builder
        self._name = name
        self._connections: list[Connection] = []
        self._max_iterations: int | None = None
        self._converge_when = ""

    def connect(self, source: str, target: str, mapping: Mapping[str, str]) -> CycleBuilder:
        """Lead outputs of *source* back to inputs of *target*, ``{output: input}``, from the second turn on."""
        self._connections += [Connection(source, output, target, name) for output, name in mapping.items()]
        return self

    def max_iterations(self, count: int) -> CycleBuilder:
        """Run it at most *count* times."""
        if count < 1:
            raise ConfigurationError("a cycle runs at least once", hint="give max_iterations from 1")
        self._max_iterations = count
        return self

    def converge_when(self, expression: str) -> CycleBuilder:
        """End it when *expression* is true after a turn; bare names are outputs of the last source."""
        self._converge_when = expression
        return self

    def build(self) -> WorkflowBuilder:
        """Add the cycle to the workflow and return the workflow's builder."""
        cycle = CycleSpec(
            name=self._name,
            connections=tuple(self._connections),
            max_iterations=self._max_iterations,
            converge_when=self._converge_when,
        )
        self._builder._cycles.append(cycle)
        return self._builder


def _with_config(step: StepSpec, config: dict[str, Any]) -> StepSpec:
    return StepSpec(
        id=step.id, type=step.type, config=config, retry=step.retry, timeout=step.timeout, on_error=step.on_error
    )


def _copied(value: Any) -> Any:
    """A copy of the containers, so that the caller may go on using its own; a nested builder is built."""
    if isinstance(value, WorkflowBuilder):
        return value.build()
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    return value
