"""The HTTP door, before the SDK: who may knock, how much they may bring, and whether it is JSON.

Rule 1: a page on the web must not reach a server on the visitor's machine by giving its own name our address
(DNS rebinding). A request is served under a loopback name, an address (a name is what rebinding needs), or a name that
`allowed_hosts` lists; any other gets 421, and a foreign Origin 403
(https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#security-warning).
Rule 2: the arguments of a call are decoded here, once, as strictly as on every other channel, and travel beside the
message in the scope: one of the SDK's two parsers lets NaN pass, the other stops at a depth of its own.
Rule 3: every refusal is a JSON-RPC error whose ``data`` is the problem document, because clients read nothing else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from kailash.errors import KailashError
from kailash.shapes import MalformedJSONError, decode_json, encode_json
from nexus import wire
from nexus.channels.base import Message, Receive, Scope, Send
from nexus.errors import DeniedError, TooLargeError
from nexus.options import Options

ARGUMENTS: Final = "nexus.mcp.arguments"  # key of the scope: the decoded arguments of a call
PARSE_ERROR: Final = -32700  # https://www.jsonrpc.org/specification#error_object
MISDIRECTED: Final = 421  # RFC 9110 section 15.5.20
_ANY: Final = "*"
_AUTHORITY: Final = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[^\s:@/\[\]]+)(:\d+)?$")


async def admit(scope: Scope, receive: Receive, send: Send, options: Options) -> Receive | None:
    """Return a *receive* that gives the checked body, or None when a refusal has been sent.

    The scope gains ``ARGUMENTS`` when the body is a call of a tool.
    """
    headers = headers_of(scope)
    try:
        guard(headers, options)
        if scope["method"] != "POST":
            return receive
        body = await _read(headers, receive, options.max_body)
        return _replay(_checked(body, scope), receive)
    except _Disconnected:
        return None
    except KailashError as error:
        await refuse(error, send)
        return None


def guard(headers: Mapping[str, str], options: Options) -> None:
    """Check the names under which a request comes.

    Raises: MisdirectedError for a Host that is none of ours; DeniedError for an Origin that may not call.
    """
    host = headers.get("host", "")
    if not _is_ours(host, options):
        raise MisdirectedError(f"this server is not {host!r}", hint="add the name to Nexus(allowed_hosts=[...])")
    origin = headers.get("origin")
    if origin is not None and not _may_call(origin, host, options):
        raise DeniedError(f"pages of {origin!r} may not call", hint="add it to Nexus(cors_origins=[...])")


class MisdirectedError(DeniedError):
    """The request names another server."""


async def refuse(error: KailashError, send: Send) -> None:
    """Answer with *error*, as JSON-RPC says it and with the HTTP status of its kind."""
    status = MISDIRECTED if isinstance(error, MisdirectedError) else wire.http_status(error)
    body = encode_json(rpc_error(error, None, status))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def rpc_error(error: KailashError, id_: str | int | None, status: int = 0) -> dict[str, Any]:
    """Return the JSON-RPC response that says *error*."""
    code = PARSE_ERROR if isinstance(error, MalformedJSONError) else wire.rpc_code(error)
    problem = wire.problem(error, status=status)
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": str(error), "data": problem}}


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of *scope*, names in lower case; of a repeated one the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


class _Disconnected(Exception):  # noqa: N818 - nobody is there to be told of an error
    """The client went away before its message was complete."""


async def _read(headers: Mapping[str, str], receive: Receive, most: int) -> bytes:
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise _Disconnected
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        more = message.get("more_body", False)
    return bytes(body)


def _too_large(most: int) -> TooLargeError:
    return TooLargeError(f"the message is over the limit of {most:,} bytes", hint="send it in parts")


def _checked(body: bytes, scope: Scope) -> bytes:
    """Return the message without the arguments of a call, which are put into *scope*."""
    message = decode_json(body)
    match message:
        case {"method": "tools/call", "params": {"arguments": dict() as arguments} as params}:
            scope[ARGUMENTS] = arguments
            return encode_json({**message, "params": {**params, "arguments": {}}})
        case _:
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _is_ours(host: str, options: Options) -> bool:
    name = _name(host)
    if _ANY in options.allowed_hosts or _is_loopback(name) or _is_address(name):
        return True
    return name == options.host or name in options.allowed_hosts or host.lower() in options.allowed_hosts


def _may_call(origin: str, host: str, options: Options) -> bool:
    if _ANY in options.cors_origins or origin in options.cors_origins:
        return True
    page = origin.partition("://")[2]
    if page.lower() == host.lower():
        return True
    return _is_loopback(_name(page)) and _is_loopback(_name(host))


def _name(authority: str) -> str:
    """Return ``host`` of ``host:port``, in lower case, without an IPv6 address's brackets; empty if it is neither."""
    if not _AUTHORITY.match(authority):
        return ""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()


def _is_loopback(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost") or (_is_address(name) and _address(name).is_loopback)


def _is_address(name: str) -> bool:
    try:
        _address(name)
    except ValueError:
        return False
    return True


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(name)
