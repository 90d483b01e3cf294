"""How messages of the protocol come over HTTP: streamable HTTP, in both eras of the protocol.

The SDK's session manager keeps the sessions of the handshake era and serves the stateless one beside them. Its
task group must be entered and left in one task, and requests come in many, so a task of its own holds it open.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from nexus.channels.base import Message, Receive, Scope, Send


class HttpDoor:
    """Serves one SDK server over HTTP, on the event loop that opened it. *body*: most bytes of one message."""

    def __init__(self, server: Server[Any], body: int) -> None:
        # The names under which a request may come were checked by `front`, whose rules know the application's options.
        self._sessions = StreamableHTTPSessionManager(server, max_request_body_size=body)
        self._released = asyncio.Event()
        self._stop = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Return when requests can be answered."""
        opened = asyncio.Event()
        self._holding = asyncio.create_task(self._hold(opened), name="nexus-mcp-sessions")
        await opened.wait()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "GET":
            await self._stream(scope, receive, send)
        else:
            await self._sessions.handle_request(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a stream of news, which a client of the handshake era keeps open for as long as it lives."""
        unfinished = False

        async def watched(message: Message) -> None:
            nonlocal unfinished
            unfinished = message["type"] == "http.response.start" or message.get("more_body", False)
            await send(message)

        await self._sessions.handle_request(scope, _until(self._released, receive), watched)
        if unfinished and self._released.is_set():  # the SDK believes that the client has gone, and it has not
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def release(self) -> None:
        """End the streams that only wait for news; calls under way are answered. Idempotent."""
        self._released.set()

    async def close(self) -> None:
        """End every session and open stream. Idempotent."""
        self._stop.set()
        if self._holding is not None:
            await asyncio.wait([self._holding])

    async def _hold(self, opened: asyncio.Event) -> None:
        async with self._sessions.run():
            opened.set()
            await self._stop.wait()


def _until(released: asyncio.Event, receive: Receive) -> Receive:
    """Return a *receive* that says that the client has gone once *released* is set."""

    async def either() -> Message:
        heard, ended = asyncio.ensure_future(receive()), asyncio.ensure_future(released.wait())
        try:
            await asyncio.wait([heard, ended], return_when=asyncio.FIRST_COMPLETED)
            return heard.result() if heard.done() else {"type": "http.disconnect"}
        finally:
            heard.cancel()
            ended.cancel()

    return either
