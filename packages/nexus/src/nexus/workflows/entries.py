"""One registered workflow: built already, or built for each request by a function of the program."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from kailash.capability import Nature
from kailash.context import Context
from kailash.errors import InvalidInputError, Problem, WorkflowValidationError, did_you_mean
from kailash.nodes.base import type_of
from kailash.nodes.parameters import Parameters
from kailash.runtime.base import workflow_of
from kailash.shapes import REQUIRED, RefusedError
from kailash.workflow.builder import WorkflowBuilder
from kailash.workflow.graph import Workflow
from kailash.workflow.references import Literal, literal


class Asked(msgspec.Struct, frozen=True):
    """What a workflow was asked with. given: as it came; ready: checked and, for a function, marked as data."""

    given: Mapping[str, Any]
    ready: Mapping[str, Any]


class Entry(Protocol):
    """A registered workflow."""

    name: str
    summary: str

    @property
    def nature(self) -> Nature:
        """READ when no step of it writes, as far as can be known."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of its inputs."""

    def accept(self, given: Mapping[str, Any]) -> Asked:
        """Return *given*, checked. Raises: InvalidInputError, NodeValidationError, WorkflowValidationError."""

    def workflow(self, asked: Asked, context: Context) -> Workflow:
        """Return what is to be run. Raises: WorkflowValidationError."""

    def parameters(self, asked: Asked) -> Mapping[str, Any]:
        """Return what the run is given."""

    def picture(self) -> str:
        """Return it in Mermaid's flowchart language; empty when it differs from request to request."""

    def same(self, other: Entry) -> bool:
        """Whether *other* is the same registration again, as a module that is imported twice makes."""


class Fixed:
    """A workflow that is the same for every request: built, or yet to be built from what a builder holds."""

    def __init__(self, name: str, given: Workflow | WorkflowBuilder, summary: str = "") -> None:
        self.name = name
        self._builder: WorkflowBuilder | None = None
        if isinstance(given, Workflow):
            self._workflow: Workflow | None = given
        else:
            self._workflow = None
            self._builder = _copied(given)
            self._try()
        self.summary = summary or given.description or f"Run the workflow {name}."

    def built(self) -> Workflow:
        """Return the workflow. Raises: WorkflowValidationError while a node type is unknown."""
        if self._workflow is None:
            assert self._builder is not None
            self._workflow = self._builder.build(self._builder.name or self.name)
        return self._workflow

    @property
    def nature(self) -> Nature:
        try:
            self.built().plan  # noqa: B018 - looks up node types that came meanwhile
            return Nature.WRITE if self.built().effect == "writes" else Nature.READ
        except WorkflowValidationError:
            return Nature.WRITE

    def schema(self) -> dict[str, Any]:
        try:
            return self.built().inputs
        except WorkflowValidationError:  # says so when it is called
            return {"type": "object", "properties": {}}

    def accept(self, given: Mapping[str, Any]) -> Asked:
        self.built().begin(None, given)
        return Asked(given, given)

    def workflow(self, asked: Asked, context: Context) -> Workflow:
        return self.built()

    def parameters(self, asked: Asked) -> Mapping[str, Any]:
        return asked.ready

    def picture(self) -> str:
        try:
            return self.built().to_mermaid()
        except WorkflowValidationError:
            return ""

    def same(self, other: Entry) -> bool:
        if not isinstance(other, Fixed):
            return False
        return bool(self._written() == other._written())

    def _written(self) -> Any:
        spec = self._workflow.spec if self._workflow is not None else self._builder and self._builder.spec()
        return spec and (spec.steps, spec.connections, spec.cycles)

    def _try(self) -> None:
        """Build now if that is possible. Raises: WorkflowValidationError for what no later model can mend."""
        try:
            self.built()
        except WorkflowValidationError as error:
            if any(problem.code != "unknown_node_type" for problem in error.problems):
                raise


class Made:
    """A workflow that a function builds for each request; its parameters are the inputs."""

    def __init__(self, name: str, function: Callable[..., Any], summary: str = "") -> None:
        node = type_of(function)
        assert isinstance(node.inputs, Parameters)
        self.name = name
        self.summary = summary or node.summary or f"Run the workflow {name}."
        self.nature = Nature.WRITE
        self._function = function
        self._origin = node.origin
        self._parameters = node.inputs
        self._open = node.open
        self._injected = _injected(function)
        self._checks = {each: check for each in node.inputs.fields if (check := node.inputs.check_of(each))}

    def schema(self) -> dict[str, Any]:
        return {**self._parameters.schema(), "additionalProperties": self._open}

    def accept(self, given: Mapping[str, Any]) -> Asked:
        problems: list[Problem] = []
        ready: dict[str, Any] = {}
        for name, value in given.items():
            if name not in self._parameters.fields and not self._open:
                hint = did_you_mean(name, self._parameters.fields)
                message = f"this workflow takes no input {name!r}" + (f" ({hint})" if hint else "")
                problems.append(Problem(name, "unknown_field", message))
            else:
                self._check(name, value, ready, problems)
        for name, field in self._parameters.fields.items():
            if field.default is REQUIRED and name not in given:
                problems.append(Problem(name, "missing", f"input {name!r} is missing"))
        if problems:
            raise InvalidInputError("; ".join(each.message for each in problems[:10]), problems=problems)
        return Asked(given, ready)

    def workflow(self, asked: Asked, context: Context) -> Workflow:
        marked = {str(name): literal_data(value) for name, value in asked.ready.items()}
        made = self._function(**marked, **dict.fromkeys(self._injected, context))
        if made is None:
            raise WorkflowValidationError(f"the function of workflow {self.name!r} returned nothing")
        workflow: Workflow = workflow_of(made)
        return workflow

    def parameters(self, asked: Asked) -> Mapping[str, Any]:
        return {}

    def picture(self) -> str:
        return ""

    def same(self, other: Entry) -> bool:
        return isinstance(other, Made) and self._origin == other._origin

    def _check(self, name: str, value: Any, ready: dict[str, Any], problems: list[Problem]) -> None:
        check = self._checks.get(name)
        try:
            ready[name] = value if check is None else check(value)
        except RefusedError as refused:
            problems.append(Problem(name, refused.code, f"{name!r} {refused}"))


def handler(name: str, function: Callable[..., Any], summary: str) -> Fixed:
    """Return the workflow whose one node is *function*: its parameters are the inputs, all by their names."""
    node = type_of(function)
    assert isinstance(node.inputs, Parameters)
    builder = WorkflowBuilder(name, summary or node.summary)
    builder.add_node(node, name.replace(".", "_"), {each: f"{{{{{each}}}}}" for each in node.inputs.fields})
    return Fixed(name, builder)


def literal_data(value: Any) -> Any:
    """Return *value* with every text in it marked as data; what is neither text nor a container stays itself."""
    if type(value) is str or isinstance(value, Mapping | list | tuple):
        return literal(value)
    return value


def unmarked(value: Any) -> Any:
    """Return *value* with plain text for `kailash.Literal`: what a run is given is never read as a template."""
    if isinstance(value, Literal):
        return str(value)
    if type(value) is dict:
        return {unmarked(key): unmarked(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(unmarked(item) for item in value)
    return value


def _copied(builder: WorkflowBuilder) -> WorkflowBuilder:
    """A builder with what *builder* holds now: the program may go on using its own."""
    if not isinstance(builder, WorkflowBuilder):
        raise WorkflowValidationError(
            f"a {type(builder).__name__} is no workflow", hint="give a built workflow or a WorkflowBuilder"
        )
    return builder.copy()


def _injected(function: Callable[..., Any]) -> tuple[str, ...]:
    """The parameters that are given the context of the request."""
    if inspect.iscoroutinefunction(function):
        raise WorkflowValidationError(
            f"{function.__name__!r} is a coroutine function", hint="a function that builds a workflow is a plain one"
        )
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that exist for the type checker only
        return ()
    return tuple(name for name, kind in hints.items() if kind is Context and name != "return")
