"""The document at /openapi.json, and the page that reads it."""

from __future__ import annotations

import re

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from nexus import Nexus
from nexus.testing import notes_provider


async def test_the_document_is_valid_openapi_3_1(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "Notes")


async def test_every_route_is_described(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    described = {path: sorted(method for method in item if method != "parameters") for path, item in paths.items()}
    assert described == {
        "/api/notes": ["get", "post", "put"],
        "/api/notes/bulk": ["post"],
        "/api/notes/count": ["get"],
        "/api/notes/upsert": ["post"],
        "/api/notes/{id}": ["delete", "get", "patch", "put"],
    }


async def test_operation_ids_are_unique(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    names = [each["operationId"] for item in paths.values() for each in item.values() if isinstance(each, dict)]
    assert len(names) == len(set(names))


async def test_the_document_follows_the_catalogue(app: Nexus, client: httpx.AsyncClient) -> None:
    assert "/api/memos" not in (await client.get("/openapi.json")).json()["paths"]

    app.add(notes_provider("memos"))

    assert "/api/memos" in (await client.get("/openapi.json")).json()["paths"]


async def test_endpoints_of_the_program_are_described_too(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.api_endpoint("/api/hello/{name}")
    def hello(name: str) -> dict[str, str]:
        return {"hello": name}

    document = (await client.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    assert {"/api/hello/{name}", "/api/notes"} <= document["paths"].keys()


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml", "*/*"])
async def test_the_page_asks_nobody_else_for_anything(client: httpx.AsyncClient, accept: str) -> None:
    page = await client.get("/docs", headers={"accept": accept})

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Notes</title>" in page.text
    assert re.findall(r"(?:https?:)?//[a-z]", page.text) == []
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_title_cannot_break_out_of_the_page() -> None:
    app = Nexus(title="</title><script>alert(1)</script>")
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert "<script>alert" not in (await client.get("/docs")).text
