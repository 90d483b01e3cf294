"""Importing a package costs next to nothing: what is heavy is loaded when it is first needed.

Milliseconds differ from machine to machine; which modules are loaded does not.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LATER = {"sqlalchemy", "asyncpg", "psycopg2", "alembic", "fastapi", "starlette", "uvicorn", "pydantic", "mcp", "click",
         "redis", "rich", "libcst", "opentelemetry", "prometheus_client", "httpx", "jwt"}  # fmt: skip
LOADED = "import sys, json; print(json.dumps(sorted(sys.modules)))"
SERVED = """
import asyncio, httpx
from dataflow import DataFlow
from kailash import WorkflowBuilder
from nexus import Nexus

db = DataFlow({url!r})

@db.model
class Product:
    sku: str
    __indexes__ = [{{"fields": ["sku"], "unique": True}}]
    __dataflow__ = {{"soft_delete": True}}

async def serve():
    app, counted = Nexus(dataflow_integration=db), WorkflowBuilder()
    counted.add_node("ProductCountNode", "counted")
    app.register("counted", counted)
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        assert (await client.post("/api/products", json={{"sku": "a"}})).status_code == 201
        assert (await client.get("/api/products")).json()["items"][0]["sku"] == "a"
        ran = await client.post("/workflows/counted/execute", json={{"inputs": {{}}}})
        assert ran.json()["outputs"]["counted"]["count"] == 1, ran.text
    await db.close_async()

asyncio.run(serve())
"""


def _loaded_after(statement: str) -> set[str]:
    return {name.partition(".")[0] for name in _modules_after(statement)}


def _modules_after(statement: str) -> set[str]:
    run = subprocess.run([sys.executable, "-c", f"{statement}\n{LOADED}"], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("package", ["kailash", "dataflow", "nexus"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    added = _loaded_after(f"import {package}") - _loaded_after("pass")

    assert added & LATER == set()


def test_core_needs_msgspec_and_the_standard_library_alone() -> None:
    added = _loaded_after("import kailash, kailash.capability, kailash.shapes") - _loaded_after("pass")

    foreign = {name for name in added if name not in sys.stdlib_module_names and not name.startswith("_")}

    assert foreign - {"typing_extensions"} == {"kailash", "msgspec"}  # msgspec takes typing_extensions where it is


def test_core_starts_no_event_loop_machinery() -> None:
    assert "asyncio" not in _loaded_after("import kailash, kailash.capability, kailash.shapes")


def test_declaring_models_loads_no_database_library() -> None:
    """A model is a value; SQLAlchemy and the drivers wait for the first operation."""
    program = (
        "from dataflow import DataFlow\ndb = DataFlow('sqlite:///:memory:')\n@db.model\nclass Product:\n    name: str\n"
    )

    assert _loaded_after(program) & LATER == set()


def test_making_an_application_loads_no_server() -> None:
    assert _loaded_after("from nexus import Nexus\nNexus()") & LATER == set()


def test_a_server_loads_nothing_of_the_database_that_it_does_not_use(postgres_url: str, sqlite_url: str) -> None:
    """Several megabytes each: sqlite3 and SQLAlchemy's dialect of it, the drivers of PostgreSQL."""
    on_postgresql, on_sqlite = (_modules_after(SERVED.format(url=url)) for url in (postgres_url, sqlite_url))

    assert on_postgresql & {"sqlite3", "sqlalchemy.dialects.sqlite", "dataflow.executors.sqlite"} == set()
    assert on_sqlite & {"asyncpg", "psycopg2", "dataflow.executors.postgres", "dataflow.executors.psycopg"} == set()
    assert {"asyncpg", "psycopg2"} <= on_postgresql
    assert "sqlite3" in on_sqlite
