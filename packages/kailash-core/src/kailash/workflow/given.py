"""What a workflow must be given, and the start of a run with what was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kailash.context import Context
from kailash.errors import NodeValidationError, Problem, did_you_mean
from kailash.workflow.plan import Plan, Step
from kailash.workflow.references import Binding
from kailash.workflow.state import State


class Given:
    """The inputs of one plan, read off its steps.

    needed: (workflow input or "", step id, step input) of everything that a run cannot do without; an empty
    name stands for a step's own input that the author left to the caller.
    """

    def __init__(self, plan: Plan) -> None:
        self.steps = {step.id: step for step in plan.flat()}
        self.named: dict[str, tuple[Step, str] | None] = {}  # workflow input -> the step's input that it is
        self.needed: list[tuple[str, str, str]] = []
        self.takes_all = False
        self._free: dict[str, list[str]] | None = None
        self._simple: frozenset[str] | None = None
        for step in self.steps.values():
            self._read(step)
        self._enough = frozenset(name for name, _, _ in self.needed)

    @property
    def free(self) -> dict[str, list[str]]:
        """{input: ids of the steps that have it and whose author left it unset}."""
        if self._free is None:
            free: dict[str, list[str]] = {}
            for step in self.steps.values():
                for name in step.inputs.free():
                    free.setdefault(name, []).append(step.id)
            self._free = free  # whole at once: other threads may ask meanwhile
        return self._free

    @property
    def simple(self) -> frozenset[str]:
        """The workflow inputs that are nothing but that: no step has an unset input of the name."""
        if self._simple is None:
            self._simple = frozenset(self.named) - self.free.keys() - self.steps.keys()
        return self._simple

    def state(self, inputs: Mapping[str, Any] | None, parameters: Mapping[str, Any] | None, context: Context) -> State:
        """Return the state in which a run begins.

        inputs: workflow inputs by name. parameters: the same, and {node id: {input: value}}.

        Raises: NodeValidationError with everything that is missing or unknown.
        """
        flat = dict(inputs or {})
        if not parameters and flat.keys() >= self._enough and (not flat or flat.keys() <= self.simple):
            return State(flat, context)
        overrides: dict[str, dict[str, Any]] = {}
        for name, value in (parameters or {}).items():
            if name in self.steps and isinstance(value, Mapping):
                overrides[name] = dict(value)
            else:
                flat[name] = value
        unknown = [name for name in flat if not self._spread(name, flat[name], overrides)]
        if unknown:
            raise _refused([Problem(name, "unknown_field", self._stranger(name)) for name in unknown])
        self._demand(flat, overrides)
        return State(flat, context, overrides or None)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema object of the workflow's inputs."""
        properties = {name: self._property(place) for name, place in self.named.items()}
        required = {name for name, _, _ in self.needed if name}
        for name, step, parameter in self.needed:
            if not name:
                properties.setdefault(parameter, self._property((self.steps[step], parameter)))
                required.add(parameter)
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": self.takes_all}
        if required:
            schema["required"] = sorted(required)
        return schema

    def _read(self, step: Step) -> None:
        required = step.inputs.required()
        for name, bindings in step.inputs.sources.items():
            for binding in bindings:
                self._name(step, name, binding)
            if any(binding.get is None for binding in bindings):
                continue
            asks = any(each.space == "input" for binding in bindings for each in binding.decisive)
            must = name in required or (asks and name in step.node.required())
            self.needed += [(each, step.id, name) for each in set(_demands(bindings, must=must))]
        for name in required - step.inputs.sources.keys():
            self.needed.append(("", step.id, name))

    def _name(self, step: Step, name: str, binding: Binding) -> None:
        for reference in binding.references:
            if reference.space != "input":
                continue
            if not reference.name:
                self.takes_all = True
            elif binding.whole == reference and not reference.path:
                self.named[reference.name] = (step, name)
            else:
                self.named.setdefault(reference.name, None)

    def _property(self, place: tuple[Step, str] | None) -> dict[str, Any]:
        if place is None:
            return {}
        step, name = place
        found: dict[str, Any] = step.node.schema()["properties"].get(name, {})
        return found

    def _spread(self, name: str, value: Any, overrides: dict[str, dict[str, Any]]) -> bool:
        """Give the input to every step that has one of its name unset; whether anything takes it."""
        takers = self.free.get(name, ())
        for step in takers:
            overrides.setdefault(step, {}).setdefault(name, value)
        return bool(takers) or name in self.named or self.takes_all

    def _stranger(self, name: str) -> str:
        hint = did_you_mean(name, [*self.named, *self.free, *self.steps])
        return f"this workflow takes no input {name!r}" + (f" ({hint})" if hint else "")

    def _demand(self, flat: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]) -> None:
        problems = [
            Problem(name or f"{step}.{parameter}", "missing", _missing(name, step, parameter))
            for name, step, parameter in self.needed
            if not (name and name in flat) and parameter not in overrides.get(step, ())
        ]
        if problems:
            raise _refused(problems)


def _demands(bindings: list[Binding], *, must: bool) -> Iterator[str]:
    """The workflow inputs without which a step's input cannot be had."""
    for binding in bindings:
        decisive = binding.decisive if must and len(bindings) == 1 else ()
        yield from (each.name for each in (*binding.demanded, *decisive) if each.space == "input" and each.name)


def _missing(name: str, step: str, parameter: str) -> str:
    if name:
        return f"input {name!r} is missing (node {step!r} needs it as {parameter!r})"
    return f"node {step!r} needs {parameter!r}"


def _refused(problems: list[Problem]) -> NodeValidationError:
    return NodeValidationError("; ".join(each.message for each in problems[:10]), problems=problems)
