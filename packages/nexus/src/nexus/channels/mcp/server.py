"""The channel for agents: MCP over HTTP at ``/mcp``, and over standard input and output.

Making the channel costs nothing, and starting a server with it costs nothing either: the SDK is imported in a thread,
by the first request or by `warm`, whichever comes first, and requests wait for it while the loop goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kailash._lazy import Late
from kailash.capability import Catalogue
from kailash.errors import KailashError, NotAvailableError
from nexus.call import Answer
from nexus.channels.base import Receive, Scope, Send
from nexus.channels.mcp import front
from nexus.channels.mcp.calls import Desk
from nexus.options import Options

if TYPE_CHECKING:
    from mcp.server import Server

    from nexus.channels.mcp import protocol, stdio, transports
    from nexus.channels.mcp.transports import HttpDoor
else:  # each imports the SDK
    protocol = Late("nexus.channels.mcp.protocol")
    stdio = Late("nexus.channels.mcp.stdio")
    transports = Late("nexus.channels.mcp.transports")


class McpChannel:
    """Lists and calls what *catalogue* has, through *answer*.

    Raises: ConfigurationError when ``mcp_tool_prefix`` cannot begin the name of a tool.
    """

    name = "mcp"

    def __init__(self, catalogue: Catalogue, answer: Answer, options: Options) -> None:
        self._desk = Desk(catalogue, answer, options)
        self._options = options
        self._opening: asyncio.Task[HttpDoor] | None = None

    async def warm(self) -> None:
        """Load the SDK without holding up the loop, so that the first agent does not wait for it."""
        await self._door()

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request of an agent, whatever its path."""
        admitted = await front.admit(scope, receive, send, self._options)
        if admitted is None:
            return
        try:
            door = await self._door()
        except KailashError as error:
            await front.refuse(error, send)
        else:
            await door.answer(scope, admitted, send)

    def release(self) -> None:
        """End the streams that only wait for news, so that a server can stop; calls under way are answered."""
        opening = self._opening
        if opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None:
            opening.result().release()

    async def aclose(self) -> None:
        """End every session and open stream. Idempotent."""
        opening, self._opening = self._opening, None
        if opening is None or opening.get_loop() is not asyncio.get_running_loop():
            return
        with suppress(NotAvailableError):  # then nothing was opened
            await (await opening).close()

    def stdio(self) -> None:
        """Serve one client over standard input and output, blocking, until the input ends or Control-C.

        Raises: NotAvailableError when the SDK is not installed.
        """
        server = self.server()
        try:
            asyncio.run(stdio.serve(server, self._options.max_body))
        except KeyboardInterrupt:
            return

    def server(self) -> Server[Any]:
        """Return a server of the SDK, for a transport of one's own or a client in this process.

        Raises: NotAvailableError when the SDK is not installed.
        """
        with _installed():
            return protocol.build(self._desk, self._options)

    async def _door(self) -> HttpDoor:
        """Return the open door of this loop; a loop that has gone took its own with it."""
        loop = asyncio.get_running_loop()
        opening = self._opening
        failed = opening is not None and opening.done() and (opening.cancelled() or opening.exception() is not None)
        if opening is None or failed or opening.get_loop() is not loop:
            opening = self._opening = loop.create_task(self._open(), name="nexus-mcp-open")
        return await asyncio.shield(opening)

    async def _open(self) -> HttpDoor:
        door = await asyncio.to_thread(self._made)
        await door.open()
        return door

    def _made(self) -> HttpDoor:
        with _installed():
            return transports.HttpDoor(self.server(), self._options.max_body)


@contextmanager
def _installed() -> Iterator[None]:
    """Say what to install when the SDK is not there."""
    try:
        yield
    except ModuleNotFoundError as cause:
        if cause.name is None or cause.name.partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        hint = "pip install 'mcp>=2.3,<3'"
        raise NotAvailableError("agents are served by the MCP SDK, which is not installed", hint=hint) from cause
