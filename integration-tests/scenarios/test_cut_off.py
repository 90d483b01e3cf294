"""Workflows that a server runs, when the server ends before they do; on both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.timeout(240)


PROGRAM = """
import pathlib, sys, threading
from dataflow import DataFlow
from kailash import WorkflowBuilder
from nexus import Nexus

db = DataFlow(sys.argv[1])
app = Nexus(api_port=0, mcp_port=None, dataflow_integration=db)

def wait(name: str) -> dict:
    pathlib.Path("reached").touch()
    if not pathlib.Path("go").exists():
        threading.Event().wait()
    return {"waited": True}

@db.model
class Product:
    name: str

make = WorkflowBuilder()
make.add_node("ProductCreateNode", "first", {"name": "{{name}}"})
make.add_node(wait, "wait", {"name": "$first.name"})
make.add_node("ProductCreateNode", "second", {"name": "{{name}}"})
app.register("make", make)
app.start()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_what_was_cut_off_goes_on_when_the_server_starts_again(
    tmp_path: Path, database_url: str, number: signal.Signals
) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    with serving(tmp_path, database_url) as (process, client):
        client.post("/workflows/make/execute", json={"inputs": {"name": "x"}}, headers={"prefer": "respond-async"})
        while not (tmp_path / "reached").exists():
            client.get("/health/live")
        process.send_signal(number)
        process.wait()

    (tmp_path / "go").touch()
    with serving(tmp_path, database_url) as (process, client):
        jobs: list[dict[str, Any]] = []
        while not jobs or jobs[0]["status"] != "done":
            jobs = client.get("/jobs").json()["jobs"]
        names = [each["name"] for each in client.get("/api/products").json()["items"]]
        process.send_signal(signal.SIGTERM)

    assert names == ["x", "x"]


class serving:
    """A program that serves, and a client of it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "app.py", url], cwd=folder, env={**os.environ}, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        address = self.process.stderr.readline().split(" on ")[1].split()[0]
        self.client = httpx.Client(base_url=address, timeout=60)

    def __enter__(self) -> tuple[subprocess.Popen[str], httpx.Client]:
        return self.process, self.client

    def __exit__(self, *failure: object) -> None:
        self.client.close()
        if any(failure):
            self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
