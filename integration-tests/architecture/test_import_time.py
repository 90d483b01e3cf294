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


def _loaded_after(statement: str) -> set[str]:
    run = subprocess.run([sys.executable, "-c", f"{statement}\n{LOADED}"], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(run.stdout)}


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
