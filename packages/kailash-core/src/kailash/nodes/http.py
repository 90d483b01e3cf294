"""A node that asks an HTTP server, with what the standard library has."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from kailash._lazy import Late
from kailash.errors import KailashError, Kind, NodeExecutionError, NodeValidationError
from kailash.nodes.nodetype import Effect, NodeType, Values
from kailash.nodes.parameters import Parameters
from kailash.nodes.scope import Scope
from kailash.shapes import REQUIRED, Field

if TYPE_CHECKING:
    import ssl
    from http import client
else:
    client = Late("http.client")  # 15 ms with ssl, and only where HTTP is asked
    ssl = Late("ssl")

TIMEOUT: Final = 30.0  # seconds for one exchange, unless the author says otherwise
MAX_BODY: Final = 16 * 1024 * 1024  # bytes of an answer that are read; arbitrary
SAFE: Final = ("GET", "HEAD", "OPTIONS")
METHODS: Final = (*SAFE, "POST", "PUT", "PATCH", "DELETE")


class UnreachableError(KailashError):
    """The other server did not answer."""

    kind = Kind.UNAVAILABLE
    code = "unreachable"


def _ask(values: Values, scope: Scope) -> Values:
    method = str(values.get("method", "GET")).upper()
    scheme, host, port, target = _target(str(values["url"]), values.get("params"))
    if method not in METHODS:
        raise NodeValidationError(f"no method is {method!r}", hint=f"use one of {', '.join(METHODS)}")
    headers = {str(name): str(value) for name, value in (values.get("headers") or {}).items()}
    body = _body(values, headers)
    seconds = _seconds(values, scope)
    connection = (
        client.HTTPSConnection(host, port, timeout=seconds, context=ssl.create_default_context())
        if scheme == "https"
        else client.HTTPConnection(host, port, timeout=seconds)
    )
    try:
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read(MAX_BODY + 1)
        return _read(answer.status, dict(answer.getheaders()), content)
    except (OSError, client.HTTPException) as cause:
        raise UnreachableError(f"{host} did not answer ({type(cause).__name__})") from cause
    finally:
        connection.close()


def _target(url: str, params: Any) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NodeValidationError("url must begin with http:// or https:// and name a host")
    query = "&".join(filter(None, [parts.query, urlencode(params or {}, doseq=True)]))
    return parts.scheme, parts.hostname, parts.port, urlunsplit(("", "", parts.path or "/", query, ""))


def _body(values: Values, headers: dict[str, str]) -> bytes | None:
    if values.get("json_data") is not None:
        headers.setdefault("Content-Type", "application/json")
        return msgspec.json.encode(values["json_data"])
    given = values.get("data")
    if isinstance(given, Mapping):
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return urlencode(given, doseq=True).encode()
    return given.encode() if isinstance(given, str) else given


def _seconds(values: Values, scope: Scope) -> float:
    seconds = float(values.get("timeout", TIMEOUT))
    deadline = scope.context.deadline
    return seconds if deadline is None else max(0.001, min(seconds, deadline - time.monotonic()))


def _read(status: int, headers: dict[str, str], content: bytes) -> Values:
    if len(content) > MAX_BODY:
        raise NodeExecutionError(f"the answer is larger than {MAX_BODY} bytes")
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    answer = {"status_code": status, "headers": headers, "content": _decoded(content, kind)}
    return {"response": answer, "status_code": status, "success": 200 <= status < 300}


def _decoded(content: bytes, kind: str) -> Any:
    if "json" in kind and content:
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError:
            pass
    return content.decode("utf-8", "replace")


def _prepare(config: Mapping[str, Any]) -> NodeType:
    method = config.get("method", "GET")
    effect: Effect = "reads" if isinstance(method, str) and method.upper() in SAFE else "writes"
    return NodeType(name="HTTPRequestNode", run=_ask, inputs=INPUTS, effect=effect, summary=SUMMARY, origin=ORIGIN)


INPUTS: Final = Parameters(
    "HTTPRequestNode",
    [
        Field("url", str, REQUIRED, "http:// or https://"),
        Field("method", str, "GET"),
        Field("headers", dict[str, Any] | None, None),
        Field("params", dict[str, Any] | None, None, "added to the query of the url"),
        Field("json_data", Any, None, "sent as JSON"),
        Field("data", Any, None, "sent as it is; an object as a form"),
        Field("timeout", float, TIMEOUT, "seconds"),
    ],
)
SUMMARY: Final = "Ask an HTTP server; an answer of any status is an answer."
ORIGIN: Final = "kailash.nodes.http:HTTPRequestNode"
HTTP_REQUEST: Final = NodeType(name="HTTPRequestNode", prepare=_prepare, summary=SUMMARY, origin=ORIGIN)
TYPES: Final = {"HTTPRequestNode": HTTP_REQUEST}
