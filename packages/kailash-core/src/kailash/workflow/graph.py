"""A built workflow: checked, compiled, frozen. It can be shared between threads and runs."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any

import msgspec

from kailash.context import ANONYMOUS, Context
from kailash.errors import WorkflowValidationError
from kailash.nodes.nodetype import Effect
from kailash.nodes.registry import NodeRegistry
from kailash.workflow import mermaid, serialize
from kailash.workflow.compile import Compiled, compile_workflow
from kailash.workflow.given import Given
from kailash.workflow.plan import Plan
from kailash.workflow.spec import Connection, StepSpec, WorkflowSpec
from kailash.workflow.state import State

__all__ = ["Connection", "StepSpec", "Workflow", "WorkflowSpec", "WorkflowWarning"]


class WorkflowWarning(UserWarning):
    """A workflow can be built, and part of it will do nothing."""


class Workflow:
    """Steps in a checked order.

    Making one raises `WorkflowValidationError` with every problem of *spec*. Node types that no provider is
    there for yet are looked up again at the first run.
    """

    __slots__ = ("__weakref__", "_compiled", "_fingerprint", "_given", "_registry", "spec")

    def __init__(self, spec: WorkflowSpec, registry: NodeRegistry | None = None) -> None:
        self.spec = spec
        self._registry = registry or NodeRegistry.default()
        self._compiled = compile_workflow(spec, self._registry)
        self._given: Given | None = None
        self._fingerprint = ""
        _raise(spec, self._compiled)
        for warning in self._compiled.warnings:
            warnings.warn(warning, WorkflowWarning, stacklevel=3)

    def __repr__(self) -> str:
        return f"Workflow({self.name!r}, {[step.id for step in self.spec.steps]})"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def description(self) -> str:
        return self.spec.description

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was noticed at build and is no error."""
        return self._compiled.warnings

    @property
    def plan(self) -> Plan:
        """The compiled plan.

        Raises: WorkflowValidationError when a node type is still unknown, with the closest names.
        """
        if (plan := self._compiled.plan) is not None:
            return plan
        compiled = compile_workflow(self.spec, self._registry, final=True)
        _raise(self.spec, compiled)
        self._compiled = compiled
        assert compiled.plan is not None
        return compiled.plan

    @property
    def given(self) -> Given:
        """What a run must be given."""
        if self._given is None:
            self._given = Given(self.plan)
        return self._given

    @property
    def inputs(self) -> dict[str, Any]:
        """The JSON Schema object of the workflow's inputs."""
        return self.given.schema()

    @property
    def effect(self) -> Effect:
        """The strongest effect of any of its steps; of node types yet unknown, the strongest there is."""
        return "writes" if self._compiled.plan is None else self._compiled.plan.effect

    @property
    def fingerprint(self) -> str:
        """A digest of the steps and how they are joined: equal for workflows whose runs can go on in each other."""
        if not self._fingerprint:
            steps = [(step.id, _type_name(step), sorted(step.config)) for step in self.spec.steps]
            written = msgspec.json.encode([steps, self.spec.connections, self.spec.cycles], enc_hook=str)  # a `Literal`
            self._fingerprint = hashlib.sha256(written).hexdigest()[:32]
        return self._fingerprint

    def begin(
        self,
        inputs: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        context: Context = ANONYMOUS,
    ) -> State:
        """Return the state of a new run. Raises: NodeValidationError for missing and unknown inputs."""
        return self.given.state(inputs, parameters, context)

    def get_execution_order(self) -> list[str]:
        """Return the node ids in the order in which they would run one after another."""
        return [step.id for step in self.plan.flat()]

    def validate(self) -> tuple[str, ...]:
        """Check again, node types included; return the warnings. Raises: WorkflowValidationError."""
        compiled = compile_workflow(self.spec, self._registry, final=True)
        _raise(self.spec, compiled)
        return compiled.warnings

    def to_dict(self) -> dict[str, Any]:
        """Return the workflow as JSON values, versioned. Raises: WorkflowValidationError."""
        return serialize.write(self.spec, self._registry)

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return msgspec.json.format(msgspec.json.encode(self.to_dict()), indent=2).decode()

    def to_yaml(self) -> str:
        """Return `to_dict` as YAML text."""
        return serialize.to_yaml(self.to_dict())

    def to_mermaid(self) -> str:
        """Return a picture in Mermaid's flowchart language."""
        return mermaid.draw(self.plan)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any], registry: NodeRegistry | None = None) -> Workflow:
        """Return the workflow that `to_dict` wrote. Raises: WorkflowValidationError."""
        return cls(serialize.read(written, lambda spec: cls(spec, registry)), registry)

    @classmethod
    def from_json(cls, text: str | bytes, registry: NodeRegistry | None = None) -> Workflow:
        """Return the workflow that `to_json` wrote. Raises: WorkflowValidationError."""
        try:
            written = msgspec.json.decode(text)
        except msgspec.DecodeError as cause:
            raise WorkflowValidationError("this is not JSON") from cause
        if not isinstance(written, dict):
            raise WorkflowValidationError("a workflow must be a JSON object")
        return cls.from_dict(written, registry)


def _raise(spec: WorkflowSpec, compiled: Compiled) -> None:
    if not compiled.problems:
        return
    listed = "; ".join(problem.message for problem in compiled.problems)
    name = f"workflow {spec.name!r}" if spec.name else "the workflow"
    raise WorkflowValidationError(f"{name} cannot be built: {listed}", problems=compiled.problems)


def _type_name(step: StepSpec) -> str:
    return step.type if isinstance(step.type, str) else getattr(step.type, "__name__", type(step.type).__name__)
