"""Endpoints that the program wrote itself, beside the generated ones."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import APIRouter, HTTPException

from kailash.errors import InvalidInputError
from nexus import Nexus


async def test_an_endpoint_is_served_beside_the_resources(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.api_endpoint("/api/orders/{order_id}/process", methods=["POST"])
    def process(order_id: int) -> dict[str, int]:
        return {"processed": order_id}

    assert (await client.post("/api/orders/7/process")).json() == {"processed": 7}
    assert (await client.get("/api/notes")).status_code == 200


async def test_a_body_arrives_as_a_dict(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.endpoint("/api/checkout", methods=["POST"])
    async def checkout(order: dict[str, Any]) -> dict[str, Any]:
        return {"got": order}

    assert (await client.post("/api/checkout", json={"a": 1})).json() == {"got": {"a": 1}}


async def test_an_endpoint_stands_before_a_generated_path(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.api_endpoint("/api/notes/featured")
    def featured() -> dict[str, str]:
        return {"note": "best"}

    assert (await client.get("/api/notes/featured")).json() == {"note": "best"}
    assert (await client.get("/api/notes/1")).json()["code"] == "record_not_found"


async def test_wrong_inputs_of_an_endpoint_are_the_same_problem_documents(
    app: Nexus, client: httpx.AsyncClient
) -> None:
    @app.api_endpoint("/api/double/{number}")
    def double(number: int) -> int:
        return number * 2

    answer = await client.get("/api/double/x", headers={"x-request-id": "r-7"})

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["errors"][0]["field"] == "number"
    assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("r-7", "r-7")


async def test_our_errors_and_http_exceptions_keep_their_status(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.api_endpoint("/api/ours")
    def ours() -> None:
        raise InvalidInputError("no")

    @app.api_endpoint("/api/theirs")
    def theirs() -> None:
        raise HTTPException(409, "Taken")

    first, second = await client.get("/api/ours"), await client.get("/api/theirs")

    assert (first.status_code, first.json()["detail"]) == (422, "no")
    assert (second.status_code, second.json()["code"], second.json()["detail"]) == (409, "conflict", "taken")


async def test_unknown_paths_and_methods_stay_problem_documents(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.api_endpoint("/api/only-get")
    def only_get() -> str:
        return "x"

    unknown, method = await client.get("/nowhere"), await client.post("/api/only-get")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_route")
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert method.headers["allow"] == "GET"


async def test_a_router_is_included(app: Nexus, client: httpx.AsyncClient) -> None:
    router = APIRouter()

    @router.get("/ping")
    def ping() -> str:
        return "pong"

    app.include_router(router, prefix="/own")

    assert (await client.get("/own/ping")).json() == "pong"
    assert app.fastapi_app.title == "Notes"


async def test_middleware_stands_around_everything(app: Nexus) -> None:
    class Stamp:
        def __init__(self, inner: Any, word: bytes) -> None:
            self.inner, self.word = inner, word

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def stamped(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"].append((b"x-stamp", self.word))
                await send(message)

            await self.inner(scope, receive, stamped)

    app.add_middleware(Stamp, word=b"yes")
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/api/notes")).headers["x-stamp"] == "yes"


async def test_cors_is_answered_for_the_given_origins() -> None:
    app = Nexus(cors_origins=["https://app.example.com"])
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        friend = await client.get("/health/live", headers={"origin": "https://app.example.com"})
        stranger = await client.get("/health/live", headers={"origin": "https://evil.example.com"})
        ask = {"origin": "https://app.example.com", "access-control-request-method": "PATCH"}
        preflight = await client.options("/api/notes/1", headers=ask)

    assert friend.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-origin" not in stranger.headers
    assert (preflight.status_code, "PATCH" in preflight.headers["access-control-allow-methods"]) == (200, True)
