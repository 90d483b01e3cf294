"""The root of every error that the three distributions raise.

Rule 1: a channel translates the `Kind` of an error and its ``code``, never its class.
Rule 2: a message is one lower-case sentence that names the thing; ``hint`` says what to do.
Rule 3: no SQL, secret, row value or stack trace is ever part of either.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from kailash._standard import difflib


class Kind(enum.Enum):
    """What went wrong, in the only terms that a channel needs to know."""

    MALFORMED = "malformed"  # the question cannot be read: broken JSON, an unknown filter operator
    INVALID = "invalid"  # the question can be read, and its values are not acceptable
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    STALE = "stale"  # a precondition (a version, an ETag) no longer holds
    TOO_LARGE = "too_large"
    UNCONFIRMED = "unconfirmed"  # a destructive call needs a confirmation first
    LIMITED = "limited"
    UNSUPPORTED = "unsupported"  # known, and not available in this version or without an extra
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    FAULT = "fault"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with an input: where, a stable code, and a sentence."""

    field: str  # dotted path: "price", "rows.3.price"
    code: str  # "missing", "unknown_field", "wrong_type", "constraint", "out_of_range", ...
    message: str


class KailashError(Exception):
    """Base of all our errors; never raised itself."""

    kind: ClassVar[Kind] = Kind.FAULT
    code: ClassVar[str] = "fault"  # stable: clients on every channel may branch on it

    def __init__(self, message: str, *, hint: str = "", problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class InvalidInputError(KailashError):
    """The given values do not fit the shape that is asked for; ``problems`` lists every bad field."""

    kind = Kind.INVALID
    code = "invalid_input"


class InvalidFilterError(KailashError):
    """A filter names an unknown field or operator, or gives an operand that the field cannot take."""

    kind = Kind.MALFORMED
    code = "invalid_filter"


class ConfigurationError(KailashError):
    """An option, a URL or a declaration makes no sense."""

    kind = Kind.INVALID
    code = "configuration"


class NotAvailableError(KailashError):
    """A documented feature that this version does not have yet, or whose extra is not installed."""

    kind = Kind.UNSUPPORTED
    code = "not_available"


class NoSuchCapabilityError(KailashError):
    """Nothing of that name is offered."""

    kind = Kind.NOT_FOUND
    code = "no_such_capability"


class DeadlineExceededError(KailashError):
    """The caller's deadline passed before the work was done."""

    kind = Kind.TIMEOUT
    code = "deadline_exceeded"


class NodeValidationError(KailashError):
    """A node was given inputs that it cannot take."""

    kind = Kind.INVALID
    code = "node_validation"


class NodeConfigurationError(KailashError):
    """A node type is declared or configured in a way that makes no sense."""

    kind = Kind.INVALID
    code = "node_configuration"


class NodeExecutionError(KailashError):
    """A node failed while it ran."""

    code = "node_execution"


class NodeTimeoutError(NodeExecutionError):
    """A node took longer than its author allows."""

    kind = Kind.TIMEOUT
    code = "node_timeout"


class RunCancelledError(KailashError):
    """The caller wanted the run to end before it was done."""

    kind = Kind.TIMEOUT
    code = "cancelled"


class RunInProgressError(KailashError):
    """A durable run is under way already; its outcome can be had when it has ended."""

    kind = Kind.CONFLICT
    code = "run_in_progress"


class WorkflowValidationError(KailashError):
    """A workflow cannot be built; ``problems`` lists everything that is wrong with it, ``field`` the node's id."""

    kind = Kind.INVALID
    code = "workflow_validation"


class RuntimeExecutionError(KailashError):
    """A runtime, or what a run holds, was used in a way that makes no sense."""

    code = "runtime_execution"


class WorkflowExecutionError(KailashError):
    """A run stopped because a node failed, the error of the node is the ``__cause__``.

    ``kind``, ``code`` and ``problems`` are those of the cause when it is one of ours. The text of a foreign
    exception is shown by ``str()`` and never part of ``message``, which travels to clients.
    """

    code = "workflow_execution"

    def __init__(
        self,
        message: str,
        *,
        node_id: str = "",
        run_id: str = "",
        results: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        cause: BaseException | None = None,
    ) -> None:
        ours = cause if isinstance(cause, KailashError) else None
        super().__init__(message, hint=ours.hint if ours else "", problems=ours.problems if ours else ())
        if ours is not None:
            self.__dict__ |= {"kind": ours.kind, "code": ours.code}  # of this one error, not of the class
        self.node_id = node_id
        self.run_id = run_id
        self.results: dict[str, Any] = results if results is not None else {}  # {node id: output} of what had finished
        self.inputs: dict[str, Any] = inputs if inputs is not None else {}  # of the node, for its author's eyes
        self.__cause__ = cause

    def __str__(self) -> str:
        foreign = self.__cause__ is not None and not isinstance(self.__cause__, KailashError)
        return f"{self.message}: {self.__cause__}" if foreign else super().__str__()


def did_you_mean(word: str, known: Iterable[str], *, most: int = 12) -> str:
    """Return a hint: the closest of *known* to *word*, or the first *most* of them."""
    names = sorted(known)
    if close := difflib.get_close_matches(word, names, n=3, cutoff=0.6):
        return "did you mean " + " or ".join(f"{name!r}" for name in close) + "?"
    listed = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return f"use one of: {listed}" if names else ""
