"""What a record was, and back to it: over HTTP, on the command line and by agents' tools; deleted records too."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from mcp import Client
from openapi_spec_validator import OpenAPIV31SpecValidator
from scenarios.asking import visiting

from dataflow import DataFlow
from nexus import Nexus
from nexus.channels.cli import app as program

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url) as db:

        @db.model
        class Note:
            title: str
            stars: int = 0

            __dataflow__ = {"versioned": True, "soft_delete": True}

        @db.model
        class Tag:
            name: str

        yield db


async def test_over_http_the_past_of_a_record_is_told_and_brought_back(client: httpx.AsyncClient) -> None:
    note = (await client.post("/api/notes", json={"title": "a"})).json()
    then = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    await client.patch("/api/notes/1", json={"title": "b", "stars": 1})

    history = await client.get("/api/notes/1/history")
    older = await client.get("/api/notes/1/history?before=2&limit=5")
    listed = await client.get(f"/api/notes?as_of={then}&stars=0")
    counted = await client.get(f"/api/notes/count?as_of={then}&title=b")
    read = await client.get("/api/notes/1?as_of=1")
    back = await client.post("/api/notes/1/revert", json={"version": 1, "expected_version": 2})

    assert [(each["version"], each["channel"]) for each in history.json()["items"]] == [(2, "rest"), (1, "rest")]
    assert [each["record"] for each in older.json()["items"]] == [note]
    assert (listed.json()["items"], counted.json(), read.json()) == ([note], {"count": 0}, note)
    assert (back.status_code, back.json()["title"], back.json()["version"]) == (200, "a", 3)


async def test_over_http_deleted_records_are_shown_restored_and_purged(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a"})
    await client.delete("/api/notes/1")

    hidden = [(await client.get(path)).status_code for path in ("/api/notes/1", "/api/notes/1/history")]
    shown = await client.get("/api/notes?include_deleted=true")
    counted = await client.get("/api/notes/count?include_deleted")
    totals = await client.get("/api/notes/aggregate?sum=stars&count&include_deleted")
    versions = await client.get("/api/notes/1/history?include_deleted=1")
    back = await client.post("/api/notes/1/restore")
    await client.delete("/api/notes/1")
    purged = await client.post("/api/notes/1/purge")
    gone = await client.get("/api/notes/1?include_deleted=true")

    assert hidden == [404, 404]
    assert [each["deleted_at"] is not None for each in shown.json()["items"]] == [True]
    assert (counted.json(), totals.json()["items"][0]["count"], len(versions.json()["items"])) == ({"count": 1}, 1, 2)
    assert (back.status_code, back.json()["deleted_at"]) == (200, None)
    assert (purged.status_code, gone.status_code) == (204, 404)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/notes/1?as_of=soon", None, 422),
        ("GET", "/api/notes?as_of=3", None, 422),
        ("GET", "/api/notes/1/history?before=x", None, 400),
        ("GET", "/api/notes/1/history?limit=0", None, 400),
        ("GET", "/api/notes/9/history", None, 404),
        ("GET", "/api/notes/x/history", None, 422),
        ("GET", "/api/notes?include_deleted=perhaps", None, 400),
        ("POST", "/api/notes/1/revert", {}, 422),
        ("POST", "/api/notes/1/revert", {"version": "1"}, 422),
        ("POST", "/api/notes/1/revert", {"version": 9}, 404),
        ("POST", "/api/notes/1/revert", {"version": 1, "expected_version": 7}, 409),
        ("POST", "/api/notes/1/restore", None, 404),
        ("POST", "/api/notes/1/purge", None, 404),
        ("POST", "/api/notes/1/history", {}, 405),
        ("GET", "/api/notes/1/other", None, 404),
        ("GET", "/api/tags/1/history", None, 404),
        ("GET", "/api/tags?as_of=2026-01-01T00:00:00Z", None, 400),
        ("GET", "/api/tags?include_deleted=true", None, 400),
    ],
)
async def test_what_cannot_be_is_refused(
    client: httpx.AsyncClient, method: str, path: str, body: Any, status: int
) -> None:
    await client.post("/api/notes", json={"title": "a"})

    answer = await client.request(method, path, json=body)

    assert answer.status_code == status, answer.text


async def test_the_document_tells_of_it_where_there_is_a_past(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    paths = document["paths"]
    assert {path.rpartition("/")[2] for path in paths if path.startswith("/api/notes/{id}/")} == {
        "history",
        "revert",
        "restore",
        "purge",
    }
    assert not any(path.startswith("/api/tags/{id}/") for path in paths)
    named = {each["name"] for each in paths["/api/notes"]["get"]["parameters"]}
    assert {"as_of", "include_deleted"} <= named
    assert not {"as_of", "include_deleted"} & {each["name"] for each in paths["/api/tags"]["get"]["parameters"]}


async def test_a_route_of_the_program_comes_before_ours(db: DataFlow) -> None:
    app = Nexus(dataflow_integration=db)

    @app.api_endpoint("/api/notes/{id}/history", methods=["GET"])
    def mine(id: int) -> dict[str, int]:
        return {"mine": id}

    async with visiting(app) as client:
        assert (await client.get("/api/notes/4/history")).json() == {"mine": 4}


def test_on_the_command_line(db: DataFlow) -> None:
    app = Nexus(dataflow_integration=db)

    def run(*words: str) -> Any:
        with CliRunner().isolation() as (out, err, _):
            code = program.run(["notes", *words, "--output", "json"], app)
        assert (code, err.getvalue()) == (0, b"")
        return json.loads(out.getvalue())

    run("create", "--title", "a")
    run("update", "1", "--title", "b")

    assert [each["version"] for each in run("history", "1")["versions"]] == [2, 1]
    assert run("get", "1", "--as-of", "1")["title"] == "a"
    assert run("revert", "1", "--version", "1")["title"] == "a"
    run("delete", "1", "--yes")
    assert len(run("list", "--include-deleted")["items"]) == 1
    assert run("restore", "1")["deleted_at"] is None
    run("delete", "1", "--yes")
    run("purge", "1", "--yes")
    assert run("list", "--include-deleted")["items"] == []


@pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
async def test_by_an_agent(db: DataFlow, era: str) -> None:
    """The SDK's client checks the answers against the schemas that were listed."""
    app = Nexus(dataflow_integration=db)
    async with Client(app.mcp.server(), mode=era) as agent:
        await agent.list_tools()

        async def do(action: str, **arguments: Any) -> Any:
            answer = await agent.call_tool(f"database_notes_{action}", arguments)
            assert not answer.is_error, answer.content
            return answer.structured_content

        await do("create", title="a")
        await do("update", id=1, title="b")
        history = await do("history", id=1)
        then = await do("read", id=1, as_of="1")
        back = await do("revert", id=1, version=1)

    assert [each["version"] for each in history["versions"]] == [2, 1]
    assert (then["title"], back["title"], back["version"]) == ("a", "a", 3)
