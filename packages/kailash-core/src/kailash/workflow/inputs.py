"""The inputs of one step, compiled: constants, what is fetched from the run, and what is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kailash.errors import InvalidInputError, KailashError, NodeValidationError, Problem, did_you_mean
from kailash.expressions import ABSENT, Reference
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.parameters import Parameters
from kailash.shapes import Check, RefusedError, Shape
from kailash.workflow.references import Binding, Get
from kailash.workflow.state import State

CheckAll: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]


class StepInputs:
    """Gives a step its inputs. Calling it binds them to a run.

    sources: {input: its bindings, the first that is present counts}; a constant comes last.
    """

    __slots__ = ("_check_all", "_checks", "_constants", "_getters", "id", "node", "sources")

    def __init__(self, id: str, node: NodeType, sources: Mapping[str, list[Binding]]) -> None:
        self.id = id
        self.node = node
        self.sources = sources
        self._constants: Values = {}
        self._getters: list[tuple[str, Get]] = []
        self._checks: list[tuple[str, Check]] = []
        self._check_all: CheckAll | None = node.inputs.check if isinstance(node.inputs, Shape) else None
        for name, bindings in sources.items():
            self._add(name, bindings)

    def __call__(self, state: State) -> Values:
        """Return the inputs by name.

        Raises: NodeValidationError, MissingPathError, InvalidExpressionError.
        """
        values = self._constants.copy()
        overrides = state.overrides and state.overrides.get(self.id)
        for name, get in self._getters:
            value = get(state)
            if value is not ABSENT:
                values[name] = value
            elif name not in values and not (overrides and name in overrides):
                self._absent(name)
        if overrides:
            self._override(values, overrides)
        elif self._checks:
            self._check(values)
        return values if self._check_all is None else self._check_all(values)

    @property
    def set(self) -> frozenset[str]:
        """The inputs that the author wrote or connected."""
        return frozenset(self.sources)

    def required(self) -> frozenset[str]:
        """Return the inputs that must be there; empty when only the node itself can tell."""
        if isinstance(self.node.inputs, Parameters):
            return self.node.inputs.required
        return self.node.required() if isinstance(self.node.inputs, Shape) else frozenset()

    def free(self) -> frozenset[str]:
        """Return the inputs that the author left unset."""
        return frozenset(self.node.schema()["properties"]) - self.sources.keys() - self.node.settings

    def refusals(self) -> list[Problem]:
        """Return what is wrong with what the author wrote: unknown inputs, constants that do not fit."""
        problems = [problem for name in self.sources if (problem := self._unknown(name))]
        for name, value in list(self._constants.items()):
            checked = self._checked(name, value, problems)
            self._constants[name] = checked
        for name, bindings in self.sources.items():
            if len(bindings) == 1 and bindings[0].get is not None and not bindings[0].references:
                self._checked(name, bindings[0].get(State({})), problems)
        return problems + self._refused_by_intake()

    def _refused_by_intake(self) -> list[Problem]:
        """What a capability says of inputs that are all constant; what is missing may come with the run."""
        intake = self.node.inputs
        constant = all(not binding.references for bindings in self.sources.values() for binding in bindings)
        if intake is None or isinstance(intake, Parameters | Shape) or not constant or not self.sources:
            return []
        values = self._constants | {name: get(State({})) for name, get in self._getters}
        try:
            intake.accept(values)
        except InvalidInputError as refused:
            return [problem for problem in refused.problems if problem.code != "missing"]
        except KailashError:  # something that only the run can tell for certain
            return []
        return []

    def _add(self, name: str, bindings: list[Binding]) -> None:
        getters = []
        for binding in bindings:
            if binding.get is None:
                self._constants[name] = binding.constant
            else:
                getters.append(binding.get)
        if not getters:
            return
        self._getters.append((name, getters[0] if len(getters) == 1 else _first_of(getters)))
        if check := self._check_of(name):
            self._checks.append((name, check))

    def _check_of(self, name: str) -> Check | None:
        return self.node.inputs.check_of(name) if isinstance(self.node.inputs, Parameters) else None

    def _check(self, values: Values) -> None:
        for name, check in self._checks:
            if name in values:
                try:
                    values[name] = check(values[name])
                except RefusedError as refused:
                    raise self._error([_refusal(name, refused)]) from None

    def _override(self, values: Values, overrides: Mapping[str, Any]) -> None:
        problems = [problem for name in overrides if (problem := self._unknown(name))]
        values.update(overrides)
        for name in values:
            values[name] = self._checked(name, values[name], problems)
        if problems:
            raise self._error(problems)

    def _checked(self, name: str, value: Any, problems: list[Problem]) -> Any:
        """*value* as declared; what is wrong with it goes to *problems*."""
        try:
            if check := self._check_of(name):
                return check(value)
            if isinstance(self.node.inputs, Shape) and name in self.node.inputs.fields:
                return self.node.inputs.check({name: value}, partial=True)[name]
        except RefusedError as refused:
            problems.append(_refusal(name, refused))
        except InvalidInputError as refused_by_shape:
            problems.extend(refused_by_shape.problems)
        return value

    def _unknown(self, name: str) -> Problem | None:
        fields = self.node.inputs.fields if isinstance(self.node.inputs, Parameters | Shape) else None
        if fields is None or self.node.open or name in fields:
            return None
        if name in self.node.settings:
            return Problem(name, "setting", f"{name!r} is read when the workflow is built")
        hint = did_you_mean(name, fields) or "it takes none"
        return Problem(name, "unknown_field", f"{self.node.name} has no input {name!r} ({hint})")

    def _absent(self, name: str) -> None:
        if name not in self.node.required():
            return
        origins = [reference for binding in self.sources[name] for reference in binding.references]
        raise self._error([Problem(name, "missing", f"{name!r} is missing: {_reason(origins)}")])

    def _error(self, problems: list[Problem]) -> NodeValidationError:
        listed = "; ".join(problem.message for problem in problems[:10])
        return NodeValidationError(listed, problems=problems)


def _first_of(getters: list[Get]) -> Get:
    def get(state: State) -> Any:
        for each in getters:
            value = each(state)
            if value is not ABSENT:
                return value
        return ABSENT

    return get


def _refusal(name: str, refused: RefusedError) -> Problem:
    path = ".".join((name, *map(str, refused.path)))
    return Problem(path, refused.code, f"{path!r} {refused}")


def _reason(origins: list[Reference]) -> str:
    reasons = [
        f"{reference} was skipped" if reference.space == "node" else f"no input {reference.name!r} was given"
        for reference in origins
    ]
    return " and ".join(reasons) + ", and there is no default"
