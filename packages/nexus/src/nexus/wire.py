"""What a `Kind` of error is called on each wire, and the problem document of an error: one table for all channels.

HTTP: RFC 9110 and RFC 6585. Exit codes: 2 is click's "usage". JSON-RPC: -32602 and -32603 are of the
specification, the rest is in its range for implementations. WebSocket: 4000 + the HTTP status.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from kailash.errors import KailashError, Kind
from nexus.errors import FaultError

# RFC 9110 renamed these; CPython follows since 3.13.
RENAMED: Final = {413: "Content Too Large", 422: "Unprocessable Content"}


class Wire(msgspec.Struct, frozen=True):
    """One kind of error, as each channel says it."""

    http: int
    exit: int
    rpc: int  # JSON-RPC error code
    close: int  # WebSocket close code


WIRES: Final[Mapping[Kind, Wire]] = {
    Kind.MALFORMED: Wire(400, 2, -32602, 4400),
    Kind.INVALID: Wire(422, 2, -32602, 4422),
    Kind.UNAUTHENTICATED: Wire(401, 3, -32001, 4401),
    Kind.DENIED: Wire(403, 3, -32003, 4403),
    Kind.NOT_FOUND: Wire(404, 4, -32004, 4404),
    Kind.CONFLICT: Wire(409, 5, -32009, 4409),
    Kind.STALE: Wire(412, 5, -32012, 4412),
    Kind.TOO_LARGE: Wire(413, 2, -32013, 4413),
    Kind.UNCONFIRMED: Wire(428, 6, -32028, 4428),
    Kind.LIMITED: Wire(429, 7, -32029, 4429),
    Kind.UNSUPPORTED: Wire(501, 8, -32051, 4501),
    Kind.TIMEOUT: Wire(504, 7, -32054, 4504),
    Kind.UNAVAILABLE: Wire(503, 7, -32053, 4503),
    Kind.FAULT: Wire(500, 1, -32603, 4500),
}


def http_status(error: KailashError) -> int:
    """Return the HTTP status of *error*."""
    return WIRES[error.kind].http


def exit_code(error: KailashError) -> int:
    """Return the exit code of a program that ends with *error*."""
    return WIRES[error.kind].exit


def rpc_code(error: KailashError) -> int:
    """Return the JSON-RPC code of *error*."""
    return WIRES[error.kind].rpc


def close_code(error: KailashError) -> int:
    """Return the WebSocket close code of *error*."""
    return WIRES[error.kind].close


def problem(error: KailashError, *, instance: str = "", request_id: str = "", status: int = 0) -> dict[str, Any]:
    """Return the problem document of *error* (RFC 9457), with ``code``, and ``errors`` where fields are at fault.

    instance: what was asked, a path or a command. status: the HTTP status, where the kind does not say it.
    """
    status = status or http_status(error)
    document: dict[str, Any] = {
        "type": f"urn:kailash:problem:{error.code}",
        "title": RENAMED.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
    }
    if error.hint:
        document["hint"] = error.hint
    if error.problems:
        document["errors"] = [
            {"field": each.field, "code": each.code, "message": each.message} for each in error.problems
        ]
    if instance:
        document["instance"] = instance
    if request_id:
        document["request_id"] = request_id
    return document


def translated(fault: BaseException) -> KailashError:
    """Return *fault* if it is one of ours, else the error that says no more than that there was one."""
    if isinstance(fault, KailashError):
        return fault
    return FaultError("something went wrong inside", hint="the log of the server has the details under the request id")
