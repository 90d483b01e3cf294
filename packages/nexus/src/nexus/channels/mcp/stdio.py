"""How messages come over standard input and output: one JSON-RPC message a line.

Rule 1: standard output belongs to the protocol. While it is served, whatever else is printed goes to standard error,
and what reads standard input finds it empty.
Rule 2: every line is answered. The SDK's own reader drops a line that is not JSON, and the client waits for ever;
and at the end of the input it drops the calls that are under way, which get a few seconds here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import Server
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from kailash.errors import InvalidInputError, KailashError
from kailash.shapes import decode_json
from nexus.channels.mcp import front
from nexus.errors import TooLargeError

_STANDARD_INPUT: Final = 0
_STANDARD_OUTPUT: Final = 1
_STANDARD_ERROR: Final = 2
_GRACE: Final = 5  # seconds that calls under way get when the input has ended; arbitrary, as a server's are
_CHUNK: Final = 65_536  # bytes read at once of a line that is thrown away

_Inbox = MemoryObjectSendStream[SessionMessage | Exception]
_Outbox = MemoryObjectSendStream[SessionMessage]


async def serve(server: Server[Any], most: int) -> None:
    """Serve *server* over this process's standard streams until the input ends. most: bytes of one line."""
    with _claimed() as (source, sink):
        inbox, messages = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outbox, replies = anyio.create_memory_object_stream[SessionMessage](0)
        waiting = Waiting()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_receive, source, inbox, outbox.clone(), waiting, most)
            tasks.start_soon(_send, sink, replies, waiting)
            await server.run(messages, outbox, server.create_initialization_options())


class Waiting:
    """The requests that have not been answered yet."""

    def __init__(self) -> None:
        self._ids: set[Any] = set()
        self._changed = anyio.Event()

    def note(self, message: Any) -> None:
        """Count *message* if it asks, answers or takes back."""
        match message:
            case types.JSONRPCRequest():
                self._ids.add(message.id)
            case types.JSONRPCResponse() | types.JSONRPCError():
                self._end(message.id)
            case types.JSONRPCNotification(method="notifications/cancelled", params={"requestId": id_}):
                self._end(id_)  # such a request is never answered

    def _end(self, id_: Any) -> None:
        self._ids.discard(id_)
        self._changed.set()
        self._changed = anyio.Event()

    async def none(self) -> None:
        """Return when every request has been answered, or after a few seconds."""
        with anyio.move_on_after(_GRACE):
            while self._ids:
                await self._changed.wait()


@contextmanager
def _claimed() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Give the two ends of the wire, and leave the standard descriptors harmless until the end."""
    source, sink = os.dup(_STANDARD_INPUT), os.dup(_STANDARD_OUTPUT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _STANDARD_INPUT)
    os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)
    os.close(nothing)
    try:
        # Not closed: a thread may still wait in a read of the one, and its number must not be given to another file.
        yield os.fdopen(source, "rb", closefd=False), os.fdopen(sink, "wb", closefd=False)
    finally:
        with suppress(OSError, ValueError):  # closed, or nobody reads it
            sys.stdout.flush()  # what was printed in the meantime must not follow the wire's last line
        os.dup2(source, _STANDARD_INPUT)
        os.dup2(sink, _STANDARD_OUTPUT)


async def _receive(source: BinaryIO, inbox: _Inbox, outbox: _Outbox, waiting: Waiting, most: int) -> None:
    async with inbox, outbox:
        while line := await anyio.to_thread.run_sync(source.readline, most + 1, abandon_on_cancel=True):
            try:
                if len(line) > most:
                    await anyio.to_thread.run_sync(_skip_line, source, line, abandon_on_cancel=True)
                    raise TooLargeError(f"the message is over the limit of {most:,} bytes", hint="send it in parts")
                message = _message(line)
                waiting.note(message)
                await inbox.send(SessionMessage(message))
            except KailashError as error:
                refusal = types.JSONRPCError.model_validate(front.rpc_error(error, None))
                await outbox.send(SessionMessage(refusal))
            except anyio.BrokenResourceError:
                return
        await waiting.none()


def _message(line: bytes) -> Any:
    try:
        return types.jsonrpc_message_adapter.validate_python(decode_json(line), by_name=False)
    except ValidationError as cause:
        raise InvalidInputError("the line is not a JSON-RPC message") from cause


def _skip_line(source: BinaryIO, line: bytes) -> None:
    """Read on to the end of the line that *line* began, keeping nothing of it."""
    while line and not line.endswith(b"\n"):
        line = source.readline(_CHUNK)


async def _send(sink: BinaryIO, replies: MemoryObjectReceiveStream[SessionMessage], waiting: Waiting) -> None:
    async with replies:
        async for reply in replies:
            text = reply.message.model_dump_json(by_alias=True, exclude_unset=True)
            await anyio.to_thread.run_sync(_write, sink, text.encode() + b"\n")
            waiting.note(reply.message)


def _write(sink: BinaryIO, line: bytes) -> None:
    sink.write(line)
    sink.flush()
