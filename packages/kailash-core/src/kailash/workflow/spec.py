"""A workflow as its author wrote it: steps, connections, cycles. Values only; nothing is checked here."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

from kailash.workflow.retry import RetryPolicy

OnError: TypeAlias = Literal["fail", "continue"]
MAX_ITERATIONS: Final = 1_000  # of a cycle that says only when it converges; then it is an error


class StepSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its node type (a registered name, or what declares one) and the author's inputs for it.

    timeout: seconds for one attempt.
    """

    id: str
    type: Any
    config: dict[str, Any] = {}
    retry: RetryPolicy | None = None
    timeout: float | None = None
    on_error: OnError = "fail"


class Connection(msgspec.Struct, frozen=True):
    """The value at *output* (a dotted path) of step *source* becomes the *input* of step *target*.

    An empty *input* carries nothing: *target* runs after *source*, and only if that ran.
    """

    source: str
    output: str
    target: str
    input: str


class CycleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Connections that lead back: what lies between is repeated.

    max_iterations: how often it runs at most. converge_when: an expression that ends it when true; bare names
    are outputs of the source of the last connection.
    """

    name: str
    connections: tuple[Connection, ...]
    max_iterations: int | None = None
    converge_when: str = ""


class WorkflowSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow as its author wrote it, in program order."""

    name: str = ""
    description: str = ""
    steps: tuple[StepSpec, ...] = ()
    connections: tuple[Connection, ...] = ()
    cycles: tuple[CycleSpec, ...] = ()
