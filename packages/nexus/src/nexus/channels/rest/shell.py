"""The program's own endpoints, on FastAPI: imported only when there are any.

Errors of these endpoints are the same problem documents that every other path answers with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from kailash.context import Context
from kailash.errors import InvalidInputError, KailashError, Problem
from kailash.shapes import encode_json
from nexus import wire
from nexus.call import Asking, set_current, unset_current
from nexus.channels.base import ASGI, Receive, Scope, Send
from nexus.channels.rest import marking, reply
from nexus.channels.rest.table import PARTS
from nexus.options import Options

RUNS: Final = ("/jobs", "/workflows")


class FastAPIShell:
    """A FastAPI application in the place behind the table."""

    def __init__(self, options: Options) -> None:
        self.app = FastAPI(
            title=options.title, version=options.version, openapi_url=None, docs_url=None, redoc_url=None
        )
        self.app.add_exception_handler(KailashError, _refused)
        self.app.add_exception_handler(HTTPException, _refused_by_starlette)
        self.app.add_exception_handler(RequestValidationError, _refused_by_pydantic)
        self.app.add_exception_handler(Exception, _failed)
        self._prefix = options.api_prefix + "/"
        self._depth = self._prefix.count("/") + 1  # slashes in the path of a record
        self._near: tuple[int, list[Route]] = (0, [])

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the program's endpoints."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = set_current(_asking(scope))
        try:
            await self.app(scope, receive, send)
        finally:
            unset_current(token)

    def add_endpoint(
        self, path: str, function: Callable[..., Any], methods: list[str], more: Mapping[str, Any]
    ) -> None:
        """Serve *function* at *path*. more: keywords of ``FastAPI.add_api_route``."""
        self.app.add_api_route(path, marking.marked(function), methods=methods, **more)

    def lifespan(self) -> AbstractAsyncContextManager[object]:
        """Return what is open as long as the application lives: what the program gave to FastAPI."""
        return self.app.router.lifespan_context(self.app)

    def overrides(self, scope: Scope) -> bool:
        """Whether a route of the program stands where the table may have one too."""
        routes = self.app.router.routes
        if self._near[0] != len(routes):
            self._near = (len(routes), [each for each in routes if isinstance(each, Route) and self._is_near(each)])
        return any(route.matches(scope)[0] is Match.FULL for route in self._near[1])

    def takes(self, scope: Scope) -> bool:
        """Whether one of the program's routes has this path, whatever the method."""
        return any(route.matches(scope)[0] is not Match.NONE for route in self.app.router.routes)

    def document(self) -> Mapping[str, Any]:
        """Return the OpenAPI document of the program's endpoints."""
        self.app.openapi_schema = None
        return self.app.openapi()

    def _is_near(self, route: Route) -> bool:
        if route.path.startswith(RUNS):
            return True
        if not route.path.startswith(self._prefix):
            return False
        slashes, word = route.path.count("/"), route.path.rpartition("/")[2]
        return slashes <= self._depth or (slashes == self._depth + 1 and word in PARTS)


def with_cors(inner: ASGI, origins: tuple[str, ...]) -> ASGI:
    """Return *inner* behind Starlette's CORS middleware, for *origins*; ``*`` allows no credentials."""
    return CORSMiddleware(
        inner,
        allow_origins=list(origins),
        allow_credentials="*" not in origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Link", "Location", "X-Request-ID", "Preference-Applied"],
    )


def _asking(scope: Scope) -> Asking:
    headers = dict(scope.get("headers", ()))
    context = Context(
        request_id=headers.get(b"x-request-id", b"").decode("latin-1"),
        channel="rest",
        idempotency_key=headers.get(b"idempotency-key", b"").decode("latin-1"),
    )
    return Asking(context, f"{scope.get('method', '')} {scope['path']}")


def _response(error: KailashError, request: Request) -> Response:
    request_id = request.headers.get("x-request-id", "")
    answer = reply.of_error(error, instance=request.url.path, request_id=request_id)
    return Response(answer.body, answer.status, {name.decode(): value.decode() for name, value in answer.headers})


async def _refused(request: Request, error: Exception) -> Response:
    return _response(wire.translated(error), request)


async def _failed(request: Request, error: Exception) -> Response:
    return _response(wire.translated(error), request)


async def _refused_by_pydantic(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    problems = [
        Problem(".".join(str(part) for part in each["loc"][1:]), each["type"], each["msg"].lower()) for each in found
    ]
    return _response(InvalidInputError("the request does not fit this endpoint", problems=problems), request)


async def _refused_by_starlette(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return _response(wire.translated(error), request)
    status = error.status_code
    refusal = EndpointRefusalError(str(error.detail).lower() or "refused")
    request_id = request.headers.get("x-request-id", "")
    document = wire.problem(refusal, instance=request.url.path, request_id=request_id, status=status)
    document["code"] = CODES.get(status, refusal.code)
    return Response(encode_json(document), status, error.headers, media_type="application/problem+json")


class EndpointRefusalError(KailashError):
    """An endpoint of the program, or its router, refused by an HTTP status."""

    code = "refused"


CODES: Final = {
    401: "unauthenticated",
    403: "denied",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid_input",
    429: "rate_limited",
}
