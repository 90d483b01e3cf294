"""A call: as a channel heard it, as the gates left it, and what came of it.

What ASGI does for HTTP, ``Call -> Outcome`` does for every channel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from kailash.capability import Capability
from kailash.context import Context
from kailash.errors import KailashError

NOTHING: Mapping[str, Any] = {}


class Call(msgspec.Struct, frozen=True):
    """What a channel heard: a name, inputs, and what came along that may say who is asking."""

    channel: str  # "rest", "cli", "mcp", "ws"
    capability: str  # "products.list"
    inputs: Mapping[str, Any] = NOTHING
    credentials: Mapping[str, str] = NOTHING  # header name in lower case -> value
    request_id: str = ""


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


Answer: TypeAlias = Callable[[Call], Awaitable[Outcome]]
