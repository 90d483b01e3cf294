"""The REST channel: one raw ASGI callable; a request costs two dict look-ups before its capability is asked.

Rule 1: no web framework is imported here. Paths that the table does not know go to the *shell*, an ASGI
application that exists only when the program added endpoints of its own.
Rule 2: whatever goes wrong is answered by a problem document (RFC 9457).
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import unquote, unquote_to_bytes

from kailash.capability import Catalogue
from kailash.errors import KailashError, did_you_mean
from nexus import wire
from nexus.call import Answer
from nexus.channels.base import Message, Receive, Scope, Send
from nexus.channels.rest import openapi, page, reply, table, workflows
from nexus.channels.rest.refusals import ClientGoneError, NoSuchRouteError, NotAcceptableError, UnreadablePathError
from nexus.channels.rest.reply import JSON, Reply, Stream
from nexus.channels.rest.request import Request
from nexus.channels.rest.table import Methods, Table
from nexus.errors import DeniedError
from nexus.jobs import Jobs
from nexus.options import Options

logger = logging.getLogger("nexus")

REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")  # what a client may choose: printable, without a space
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
READABLE: Final = (b"*/*", b"application/json", b"application/*", b"+json")

Report = Callable[[], Mapping[str, Any]]


class Shell(Protocol):
    """Endpoints that the program wrote itself."""

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the table does not know."""

    def overrides(self, scope: Scope) -> bool:
        """Whether one of its routes stands before a path that the table may know too."""

    def takes(self, scope: Scope) -> bool:
        """Whether one of its routes has this path."""

    def document(self) -> Mapping[str, Any]:
        """Return the OpenAPI document of its own routes."""


def alone() -> Shell | None:
    """Return no shell: the program has no endpoints of its own."""
    return None


class RestChannel:
    """Resources and workflows over HTTP.

    report: says whether the schema is ready (``{"ready": true, ...}``). shell: gives the program's own
    endpoints, once it has any. jobs: the runs that somebody follows.
    """

    name = "rest"

    def __init__(
        self,
        catalogue: Catalogue,
        answer: Answer,
        options: Options,
        *,
        report: Report = lambda: {"ready": True},
        shell: Callable[[], Shell | None] = alone,
        jobs: Jobs | None = None,
        metrics: Callable[[], str] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._answer = answer
        self._options = options
        self._report = report
        self._shell = shell
        self._prefix = options.api_prefix + "/"
        self._max_body = options.max_body
        self._seen: tuple[int, ...] | None = None
        self._table = Table({})
        self._runs = workflows.Paths(catalogue, answer, jobs)
        self._openapi: tuple[object, bytes] = (None, b"")
        self._fixed: dict[str, Methods] = {
            "/health": {"GET": self._health},
            "/health/live": {"GET": self._live},
            "/health/ready": {"GET": self._ready},
            "/openapi.json": {"GET": self._document},
            "/docs": {"GET": self._docs},
        }
        if metrics is not None:
            self._fixed[options.metrics_endpoint] = {"GET": partial(_metrics, metrics)}

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or hand it and any other connection to the shell."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        if given is not None and REQUEST_ID.fullmatch(given):
            request_id = given.decode("ascii")
        else:
            request_id = os.urandom(12).hex()
        request = Request(scope, headers, receive, request_id, self._max_body)
        shell = self._shell()
        if shell is not None and shell.overrides(scope):
            await _by_shell(shell, request, send)
            return
        try:
            answer = await self._reply(request, shell)
        except ClientGoneError:
            return
        if answer is None:
            assert shell is not None
            await _by_shell(shell, request, send)
            return
        if isinstance(answer, Stream):
            await reply.flow(answer, receive, send, request_id)
        else:
            await reply.deliver(answer, send, request_id, head=scope["method"] == "HEAD")

    async def aclose(self) -> None:
        """End what is under way; nothing is."""

    async def _reply(self, request: Request, shell: Shell | None) -> Reply | Stream | None:
        """Return what is answered, or None when that is the shell's to do."""
        try:
            methods = self._find(request)
            if methods is None:
                if shell is not None and shell.takes(request.scope):
                    return None
                raise self._no_such_route(request.scope["path"])
            method = request.scope["method"]
            if method == "OPTIONS" and method not in methods:
                return Reply(204, b"", [(b"allow", ", ".join(table.allowed(methods)).encode())])
            if request.headers.get(b"sec-fetch-site") == b"cross-site" and method not in SAFE:
                self._check_origin(request.headers.get(b"origin", b"").decode("latin-1"))
            accept = request.headers.get(b"accept")
            if accept is not None and accept != b"*/*":
                _check_acceptable(accept, request.scope["path"])
            return await table.choose(methods, method)(request)
        except ClientGoneError:
            raise
        except KailashError as error:
            return self._refused(error, request)
        except Exception as fault:  # the channel's outermost answer
            logger.exception("request %s failed", request.request_id)
            return self._refused(wire.translated(fault), request)

    def _refused(self, error: KailashError, request: Request) -> Reply:
        return reply.of_error(error, instance=request.scope["path"], request_id=request.request_id)

    def _find(self, request: Request) -> Methods | None:
        """Return what is at the request's path, and leave the id that stands in it in ``request.key``."""
        if self._catalogue.revision != self._seen:
            self._rebuild()
        scope = request.scope
        path: str = scope["path"]
        root = scope.get("root_path")
        if root:
            path = path.removeprefix(root)
        if path.startswith(self._prefix):
            name, _, key = path[len(self._prefix) :].partition("/")
            resource = self._table.resources.get(name)
            if resource is not None:
                if not key:
                    return resource.collection
                if key in resource.named:
                    return resource.named[key]
                if self._read_key(request, name, key):
                    return resource.item
                return self._find_part(request, name, key, resource.parts) if resource.parts else None
        return self._fixed.get(path) or self._runs.find(path)

    def _find_part(self, request: Request, name: str, key: str, parts: Mapping[str, Methods]) -> Methods | None:
        """Return what is at a path that goes on after the id: /products/7/history."""
        key, _, word = key.rpartition("/")
        if word not in parts:
            return None
        return parts[word] if self._read_key(request, name, key, after=f"/{word}") else None

    def _read_key(self, request: Request, name: str, key: str, after: str = "") -> bool:
        """Note the id in the path, decoded; False when the path goes on otherwise than by *after*."""
        raw = request.scope.get("raw_path")
        if raw is not None and b"%" in raw:
            if after and not raw.endswith(after.encode()):
                return False
            head, _, last = raw.removesuffix(after.encode()).rpartition(b"/")
            if not unquote(head.decode("latin-1")).endswith(f"{self._prefix}{name}"):
                return False
            key = _decoded(last)
        elif "/" in key:
            return False
        request.key = key
        return True

    def _rebuild(self) -> None:
        revision = self._catalogue.revision
        self._table = table.build(list(self._catalogue.values()), self._answer)
        self._seen = revision

    def _check_origin(self, origin: str) -> None:
        """Refuse what a page of another site makes a browser send, unless its origin may call (``cors_origins``)."""
        if not {origin, "*"} & set(self._options.cors_origins):
            raise DeniedError("a page of another site may not change anything here", hint="add it to cors_origins")

    def _no_such_route(self, path: str) -> NoSuchRouteError:
        name, _, _ = path.removeprefix(self._prefix).partition("/")
        if path.startswith(self._prefix) and name not in self._table.resources and self._table.resources:
            hint = did_you_mean(name, self._table.resources)
        else:
            hint = "/docs lists what there is"
        return NoSuchRouteError(f"nothing is at {path[:200]!r}", hint=hint)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (shell := self._shell()) is not None:
            await shell.asgi(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4404})

    # --- paths that every application has ---

    async def _health(self, request: Request) -> Reply:
        report = self._report()
        return reply.of_value({"status": "ok" if report["ready"] else "starting", **report})

    async def _live(self, request: Request) -> Reply:
        return reply.of_value({"status": "ok"})

    async def _ready(self, request: Request) -> Reply:
        report = self._report()
        return reply.of_value(report, 200 if report["ready"] else 503)

    async def _document(self, request: Request) -> Reply:
        shell = self._shell()
        if self._openapi[0] != self._seen or shell is not None:
            own = shell.document() if shell is not None else {}
            document = openapi.describe(list(self._catalogue.values()), self._options, own=own)
            self._openapi = (self._seen, reply.of_value(document).body)
        return Reply(200, self._openapi[1], [JSON])

    async def _docs(self, request: Request) -> Reply:
        return Reply(200, page.render(self._options.title), list(page.HEADERS))


async def _metrics(text: Callable[[], str], request: Request) -> Reply:
    return Reply(200, text().encode(), [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])


async def _by_shell(shell: Shell, request: Request, send: Send) -> None:
    """Let the shell answer, under the same request id."""
    stamp = (b"x-request-id", request.request_id.encode("latin-1"))
    headers = [header for header in request.scope["headers"] if header[0] != b"x-request-id"]

    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), stamp]
        await send(message)

    await shell.asgi({**request.scope, "headers": [*headers, stamp]}, request.receive, stamped)


def _check_acceptable(accept: bytes, path: str) -> None:
    if path.endswith("/docs") and b"html" in accept:
        return
    if b"text/event-stream" in accept and path.endswith(("/execute", "/events")):
        return
    if not any(media in accept for media in READABLE):
        raise NotAcceptableError("JSON is all that is written here", hint="accept application/json")


def _decoded(part: bytes) -> str:
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise UnreadablePathError("the path is not percent-encoded UTF-8", hint="encode it anew") from None
