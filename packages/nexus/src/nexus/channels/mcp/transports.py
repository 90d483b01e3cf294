"""How messages of the protocol come over HTTP: streamable HTTP, in both eras of the protocol.

The SDK's session manager keeps the sessions of the handshake era and serves the stateless one beside them. Its
task group must be entered and left in one task, and requests come in many, so a task of its own holds it open.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from nexus.channels.base import Receive, Scope, Send


class HttpDoor:
    """Serves one SDK server over HTTP, on the event loop that opened it. *body*: most bytes of one message."""

    def __init__(self, server: Server[Any], body: int) -> None:
        # The names under which a request may come were checked by `front`, whose rules know the application's options.
        self._sessions = StreamableHTTPSessionManager(server, max_request_body_size=body)
        self._stop = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Return when requests can be answered."""
        opened = asyncio.Event()
        self._holding = asyncio.create_task(self._hold(opened), name="nexus-mcp-sessions")
        await opened.wait()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._sessions.handle_request(scope, receive, send)

    async def close(self) -> None:
        """End every session and open stream. Idempotent."""
        self._stop.set()
        if self._holding is not None:
            await asyncio.wait([self._holding])

    async def _hold(self, opened: asyncio.Event) -> None:
        async with self._sessions.run():
            opened.set()
            await self._stop.wait()
