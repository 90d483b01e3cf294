"""What a channel is: a way in.

A channel is made with ``(catalogue, answer, options)``: what exists on it, what answers its calls (it never
learns that this is a pipeline), and what the application was asked to be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Channel(Protocol):
    """A channel that a server carries."""

    name: str

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""

    async def aclose(self) -> None:
        """End what is under way. Idempotent."""
