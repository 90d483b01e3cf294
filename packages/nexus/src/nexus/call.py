"""A call: as a channel heard it, as the gates left it, and what came of it.

What ASGI does for HTTP, ``Call -> Outcome`` does for every channel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from itertools import count
from typing import Any, Final, TypeAlias

import msgspec

from kailash.capability import Capability
from kailash.context import ANONYMOUS, Cancellation, Context, settled
from kailash.errors import KailashError

NOTHING: Mapping[str, Any] = {}


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """How an asker takes part in the run of a workflow that its call begins."""

    idempotency_key: str = ""
    cancellation: Cancellation | None = None
    progress: Callable[[Any], None] | None = None  # hears of every step
    admitted: Callable[[Context], None] | None = None  # called once, when every gate is passed

    def stamped(self, context: Context) -> Context:
        """Return *context* with what this says."""
        return msgspec.structs.replace(
            context,
            cancellation=self.cancellation or context.cancellation,
            progress=self.progress,
            idempotency_key=self.idempotency_key,
        )


class Call(msgspec.Struct, frozen=True):
    """What a channel heard: a name, inputs, and what came along that may say who is asking."""

    channel: str  # "rest", "cli", "mcp", "ws"
    capability: str  # "products.list"
    inputs: Mapping[str, Any] = NOTHING
    credentials: Mapping[str, str] = NOTHING  # header name in lower case -> value
    request_id: str = ""
    ticket: Ticket | None = None


class Draft(msgspec.Struct, frozen=True):
    """A call on its way through the gates: each one adds to it, or refuses it by raising."""

    call: Call
    capability: Capability
    context: Context
    inputs: Any  # the call's inputs; after *validate*, what the capability's intake made of them


class Admitted(msgspec.Struct, frozen=True):
    """A draft that passed every gate; the only thing that is executed. Only the pipeline makes one."""

    draft: Draft


class Outcome(msgspec.Struct, frozen=True):
    """What came of a call: a value, or the error that refused or broke it."""

    value: Mapping[str, Any] = NOTHING
    error: KailashError | None = None


class Outputs(dict[str, Any]):
    """``{node id: output}`` of one run of a workflow."""

    __slots__ = ("run_id",)

    def __init__(self, outputs: Mapping[str, Any], run_id: str) -> None:
        super().__init__(outputs)
        self.run_id = run_id


class Asking:
    """The request that a program's own endpoint answers: whose it is, and a name for each workflow that it runs."""

    __slots__ = ("_context", "_count", "name")

    def __init__(self, context: Context, name: str = "") -> None:
        self._context = context
        self.name = name
        self._count = count(1)

    @property
    def context(self) -> Context:
        """Who asks, and for whom: for the tenant of the code around, where the request names none."""
        return settled(self._context)

    def next_name(self) -> str:
        """Return the name of the next workflow of this request: the same when the request comes again."""
        return f"{self.name}#{next(self._count)}"


NOBODY: Final = Asking(ANONYMOUS)
_CURRENT: ContextVar[Asking] = ContextVar("nexus_asking", default=NOBODY)


def current() -> Asking:
    """Return the request that this code answers: for endpoints of the program, which are handed no context."""
    return _CURRENT.get()


def set_current(asking: Asking) -> Token[Asking]:
    """Say which request is answered from here on; return what `unset_current` takes."""
    return _CURRENT.set(asking)


def unset_current(token: Token[Asking]) -> None:
    """End what `set_current` began."""
    _CURRENT.reset(token)


Answer: TypeAlias = Callable[[Call], Awaitable[Outcome]]
