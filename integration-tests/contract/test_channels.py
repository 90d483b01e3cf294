"""One application, three ways in: REST, the command line, agents; and that they mean the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client

from dataflow import DataFlow
from nexus import Nexus

HERE = Path(__file__).parent
LAMP = {"sku": "lamp", "name": "Lamp", "price": 20.0, "stock": 5}


@pytest.fixture
async def rest(app: Nexus) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://shop") as client:
        yield client


async def test_rest_serves_every_operation_of_a_model(rest: httpx.AsyncClient) -> None:
    made = await rest.post("/api/products", json=LAMP)
    assert (made.status_code, made.json()["id"]) == (201, 1)
    assert (await rest.get("/api/products/1")).json()["name"] == "Lamp"
    assert (await rest.patch("/api/products/1", json={"stock": {"$inc": 2}})).json()["stock"] == 7
    rows = [{**LAMP, "sku": f"s{number}", "price": number} for number in range(3)]
    assert (await rest.post("/api/products/bulk", json={"operation": "create", "data": rows})).status_code < 300
    listed = (await rest.get("/api/products", params={"price__lt": 2, "sort": "-price"})).json()
    assert [item["sku"] for item in listed["items"]] == ["s1", "s0"]
    assert (await rest.get("/api/products/count")).json()["count"] == 4
    assert (await rest.delete("/api/products/1")).status_code in {200, 204}
    assert (await rest.get("/api/products/1")).status_code == 404


async def test_rest_names_what_is_wrong(rest: httpx.AsyncClient) -> None:
    wrong = await rest.get("/api/products", params={"prise__gte": 1})
    short = await rest.post("/api/products", json={"sku": "x"})

    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_filter")
    assert "price" in wrong.text
    assert (short.status_code, short.headers["content-type"]) == (422, "application/problem+json")


async def test_rest_runs_workflows(rest: httpx.AsyncClient) -> None:
    await rest.post("/api/products", json=LAMP)

    ran = await rest.post("/workflows/sell/execute", json={"inputs": {"id": 1, "many": 2}})

    assert ran.status_code == 200
    assert ran.json()["outputs"]["taken"]["stock"] == 3


async def test_rest_describes_itself(rest: httpx.AsyncClient) -> None:
    page = (await rest.get("/openapi.json")).json()

    assert {"/api/products", "/api/products/{id}", "/workflows/sell/execute"} <= page["paths"].keys()
    assert (await rest.get("/health/live")).status_code == 200


APP = ("--app", f"{HERE / 'shop.py'}:app")
CREATE = ["products", "create", *(word for name, value in LAMP.items() for word in (f"--{name}", str(value)))]


def program(url: str, folder: Path, *words: str, given: str = "") -> str:
    """Return what a program writes that works on the database of this URL, in another process."""
    ran = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "DATABASE_URL": url, "KAILASH_RUNS": str(folder / "runs.db")},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_cli_is_a_program(sqlite_url: str, tmp_path: Path) -> None:
    installed = Path(sys.executable).with_name("nexus")

    assert json.loads(program(sqlite_url, tmp_path, str(installed), *APP, *CREATE, "--output", "json"))["id"] == 1


def test_cli_works_on_records_and_workflows(database_url: str, tmp_path: Path) -> None:
    lines = [
        [*CREATE, "--output", "json"],
        ["run", "sell", "--data", '{"id": 1, "many": 1}'],
        ["products", "list", "--price-gte", "10", "--output", "json"],
        ["products", "get", "999"],
    ]
    given = json.dumps([[*APP, *line] for line in lines])
    said = program(database_url, tmp_path, sys.executable, str(HERE / "commands.py"), given=given)
    made, ran, listed, absent = json.loads(said)

    assert [each["code"] for each in (made, ran, listed, absent)] == [0, 0, 0, 4], said
    assert json.loads(made["out"])["id"] == 1
    assert [(item["sku"], item["stock"]) for item in json.loads(listed["out"])["items"]] == [("lamp", 4)]


@asynccontextmanager
async def visiting(app: Nexus) -> AsyncIterator[Client]:
    async with Client(app.mcp.server()) as agent:
        yield agent


async def call(agent: Client, tool: str, **given: Any) -> dict[str, Any]:
    answer = await agent.call_tool(tool, given)
    assert not answer.is_error, answer.content
    content: dict[str, Any] | None = answer.structured_content
    assert content is not None
    return content


async def test_mcp_lists_and_calls_tools(app: Nexus, db: DataFlow) -> None:
    async with visiting(app) as agent:
        names = {tool.name for tool in (await agent.list_tools()).tools}
        assert {"database_products_create", "database_products_list", "sell"} <= names

        made = await call(agent, "database_products_create", **LAMP)
        await call(agent, "sell", id=made["id"], many=1)
        listed = await call(agent, "database_products_list", filter={"stock": {"$lt": 5}})

    assert [item["sku"] for item in listed["records"]] == ["lamp"]
    assert await db.express.count("Product") == 1


async def test_mcp_says_what_is_wrong(app: Nexus) -> None:
    async with visiting(app) as agent:
        answer = await agent.call_tool("database_products_list", {"filter": {"prise": 1}})

    assert answer.is_error
    assert "price" in str(answer.content)
