"""What an endpoint answers, and how it goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from kailash.errors import KailashError, Kind
from kailash.shapes import encode_json
from nexus import wire
from nexus.channels.base import Receive, Send
from nexus.channels.rest.refusals import HTTPRefusalError

Headers = list[tuple[bytes, bytes]]

JSON: Final = (b"content-type", b"application/json")
PROBLEM: Final = (b"content-type", b"application/problem+json")
RETRY: Final = {Kind.LIMITED: b"1", Kind.UNAVAILABLE: b"1"}  # seconds; the least that a client can be told
WITHOUT_BODY: Final = frozenset({204, 304})


class Reply(msgspec.Struct):
    """A status, the headers that are particular to it, and a body that is ready to go."""

    status: int
    body: bytes
    headers: Headers


class Stream(msgspec.Struct):
    """A status, headers, and a body that comes piece by piece."""

    status: int
    headers: Headers
    pieces: AsyncIterator[bytes]


def of_value(value: Any, status: int = 200) -> Reply:
    """Return the reply that is *value* as JSON."""
    return Reply(status, encode_json(value), [JSON])


def empty(status: int = 204) -> Reply:
    """Return the reply that says all with its status."""
    return Reply(status, b"", [])


def of_error(error: KailashError, *, instance: str, request_id: str) -> Reply:
    """Return the problem document of *error* (RFC 9457)."""
    status = error.status if isinstance(error, HTTPRefusalError) else wire.http_status(error)
    document = wire.problem(error, instance=instance, request_id=request_id, status=status)
    headers = [PROBLEM]
    if isinstance(error, HTTPRefusalError):
        headers += error.headers()
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if (seconds := RETRY.get(error.kind)) is not None:
        headers.append((b"retry-after", seconds))
    return Reply(status, encode_json(document), headers)


async def deliver(reply: Reply, send: Send, request_id: str, *, head: bool = False) -> None:
    """Send *reply*; head: everything but its body."""
    headers = reply.headers
    headers.append((b"x-request-id", request_id.encode("latin-1")))
    if reply.status not in WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})


async def flow(stream: Stream, receive: Receive, send: Send, request_id: str) -> None:
    """Send *stream* until it ends or the client goes away."""
    headers = [*stream.headers, (b"x-request-id", request_id.encode("latin-1"))]
    await send({"type": "http.response.start", "status": stream.status, "headers": headers})
    gone = asyncio.ensure_future(_gone(receive))
    try:
        while True:
            piece = asyncio.ensure_future(anext(stream.pieces, None))
            await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not piece.done():
                piece.cancel()
                return
            body = piece.result()
            await send({"type": "http.response.body", "body": body or b"", "more_body": body is not None})
            if body is None:
                return
    finally:
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
