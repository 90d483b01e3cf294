"""Workflows as written <-> dictionaries, JSON and YAML.

    {"version": 1, "name": "", "nodes": [{"id", "type", "config", "retry", "timeout", "on_error"}],
     "connections": [{"from_node", "from_output", "to_node", "to_input"}],
     "cycles": [{"name", "connections", "max_iterations", "converge_when"}]}

Rule 1: a node type is written by its registered name. Reading looks nothing up and runs nothing.
Rule 2: a workflow from a stranger may hold code (PythonCodeNode); read only what you would run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kailash.errors import InvalidInputError, KailashError, Problem, WorkflowValidationError, did_you_mean
from kailash.nodes.base import type_of
from kailash.nodes.registry import NodeRegistry
from kailash.workflow.packing import pack, unpack
from kailash.workflow.retry import retry_of
from kailash.workflow.spec import Connection, CycleSpec, StepSpec, WorkflowSpec

VERSION: Final = 1
WORKFLOW: Final = "$workflow"
NODE_KEYS: Final = ("id", "type", "config", "retry", "timeout", "on_error")
KEYS: Final = ("version", "name", "description", "nodes", "connections", "cycles")


def write(spec: WorkflowSpec, registry: NodeRegistry) -> dict[str, Any]:
    """Return *spec* as a dictionary of JSON values.

    Raises: WorkflowValidationError, listing the steps whose type or inputs cannot be written down.
    """
    problems: list[Problem] = []
    nodes = []
    for step in spec.steps:
        try:
            nodes.append(_write_step(step, registry))
        except KailashError as error:
            problems.append(Problem(step.id, error.code, f"node {step.id!r}: {error}"))
    if problems:
        raise WorkflowValidationError("; ".join(each.message for each in problems), problems=problems)
    written: dict[str, Any] = {"version": VERSION, "name": spec.name, "description": spec.description, "nodes": nodes}
    written["connections"] = [_write_connection(each) for each in spec.connections]
    if spec.cycles:
        written["cycles"] = [_write_cycle(each) for each in spec.cycles]
    return written


def read(written: Mapping[str, Any], wrap: Callable[[WorkflowSpec], Any]) -> WorkflowSpec:
    """Return the workflow that *written* describes. wrap: makes the value of a nested one.

    Raises: WorkflowValidationError, listing what is unknown or missing.
    """
    problems = [_stranger("", key, KEYS) for key in written if key not in KEYS]
    if written.get("version", VERSION) != VERSION:
        problems.append(Problem("version", "version", f"this version reads workflows of version {VERSION} only"))
    steps = _each(written, "nodes", lambda node: _read_step(node, wrap), problems)
    connections = _each(written, "connections", _read_connection, problems)
    cycles = _each(written, "cycles", _read_cycle, problems)
    if problems:
        raise WorkflowValidationError("; ".join(each.message for each in problems), problems=problems)
    return WorkflowSpec(
        name=str(written.get("name", "")),
        description=str(written.get("description", "")),
        steps=tuple(steps),
        connections=tuple(connections),
        cycles=tuple(cycles),
    )


def to_yaml(value: Any, indent: int = 0) -> str:
    """Return JSON values as YAML 1.2; texts are quoted as in JSON, which YAML contains."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{_quoted(key)}:{_yaml_below(item, indent)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{pad}-{_yaml_below(item, indent)}" for item in value)
    return f"{pad}{_quoted(value)}\n"


def _yaml_below(value: Any, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return "\n" + to_yaml(value, indent + 1)
    return f" {_quoted(value)}\n"


def _quoted(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _write_step(step: StepSpec, registry: NodeRegistry) -> dict[str, Any]:
    node: dict[str, Any] = {"id": step.id, "type": _type_name(step, registry)}
    if step.config:
        node["config"] = {
            key: _write_nested(value, registry) if _is_workflow(value) else pack(value, key)
            for key, value in step.config.items()
        }
    if step.retry is not None:
        node["retry"] = msgspec.to_builtins(step.retry) | {"on": list(step.retry.on)}
    if step.timeout is not None:
        node["timeout"] = step.timeout
    if step.on_error != "fail":
        node["on_error"] = step.on_error
    return node


def _type_name(step: StepSpec, registry: NodeRegistry) -> str:
    if isinstance(step.type, str):
        return step.type
    made = type_of(step.type)
    known = registry.find(made.name)
    if known is None or (known is not made and (not known.origin or known.origin != made.origin)):
        raise InvalidInputError(f"node type {made.name!r} is not registered", hint="register it with @node")
    return made.name


def _is_workflow(value: Any) -> bool:
    return isinstance(getattr(value, "spec", None), WorkflowSpec)


def _write_nested(value: Any, registry: NodeRegistry) -> dict[str, Any]:
    return {WORKFLOW: write(value.spec, registry)}


def _write_connection(connection: Connection) -> dict[str, str]:
    return {
        "from_node": connection.source,
        "from_output": connection.output,
        "to_node": connection.target,
        "to_input": connection.input,
    }


def _write_cycle(cycle: CycleSpec) -> dict[str, Any]:
    return {
        "name": cycle.name,
        "connections": [_write_connection(each) for each in cycle.connections],
        "max_iterations": cycle.max_iterations,
        "converge_when": cycle.converge_when,
    }


def _each(
    written: Mapping[str, Any], key: str, one: Callable[[Mapping[str, Any]], Any], problems: list[Problem]
) -> list[Any]:
    found: list[Any] = []
    items = written.get(key) or []
    if not isinstance(items, list | tuple):
        problems.append(Problem(key, "wrong_type", f"{key!r} must be a list"))
        return found
    for index, item in enumerate(items):
        where = f"{key}[{index}]"
        try:
            if not isinstance(item, Mapping):
                raise InvalidInputError("must be an object")
            found.append(one(item))
        except KailashError as error:
            problems.append(Problem(where, error.code, f"{where}: {error}"))
        except KeyError as missing:
            problems.append(Problem(where, "missing", f"{where}: {missing.args[0]!r} is missing"))
    return found


def _read_step(node: Mapping[str, Any], wrap: Callable[[WorkflowSpec], Any]) -> StepSpec:
    for key in node:
        if key not in NODE_KEYS:
            raise InvalidInputError(_stranger("node", key, NODE_KEYS).message)
    config = node.get("config") or {}
    if not isinstance(config, Mapping):
        raise InvalidInputError("'config' must be an object")
    if node.get("on_error", "fail") not in ("fail", "continue"):
        raise InvalidInputError("'on_error' must be 'fail' or 'continue'")
    return StepSpec(
        id=str(node["id"]),
        type=node["type"],
        config={key: _read_value(value, wrap) for key, value in config.items()},
        retry=retry_of(node.get("retry")),
        timeout=node.get("timeout"),
        on_error=node.get("on_error", "fail"),
    )


def _read_value(value: Any, wrap: Callable[[WorkflowSpec], Any]) -> Any:
    if isinstance(value, Mapping) and value.keys() == {WORKFLOW}:
        return wrap(read(value[WORKFLOW], wrap))
    return unpack(value)


def _read_connection(written: Mapping[str, Any]) -> Connection:
    return Connection(
        str(written["from_node"]),
        str(written.get("from_output", "")),
        str(written["to_node"]),
        str(written.get("to_input", "")),
    )


def _read_cycle(written: Mapping[str, Any]) -> CycleSpec:
    return CycleSpec(
        name=str(written["name"]),
        connections=tuple(_read_connection(each) for each in written["connections"]),
        max_iterations=written.get("max_iterations"),
        converge_when=written.get("converge_when") or "",
    )


def _stranger(where: str, key: str, known: tuple[str, ...]) -> Problem:
    what = f"{where} " if where else ""
    return Problem(key, "unknown_field", f"{what}{key!r} is not known; {did_you_mean(key, known)}")
