"""Starting: soon, whatever lies in the folder, and with next to nothing imported."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
BUDGET = 2.5  # seconds of processor time to the first row, ten models: seeds/003 says 10 to 45 s for the features
PATIENCE = 40.0  # seconds; a loaded machine is slow without being wrong
BLOCKS = "import threading\nfrom kailash import WorkflowBuilder\nthreading.Event().wait()\nnever = WorkflowBuilder()\n"
FINE = (
    "from kailash import WorkflowBuilder\n"
    "def greet(name: str) -> dict:\n    return {'text': 'Hello ' + name}\n"
    "found = WorkflowBuilder('found')\nfound.add_node(greet, 'greet', {'name': '{{name}}'})\n"
)


def free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as two:
        ports = []
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
        return ports


@contextmanager
def serving(url: str, folder: Path, **more: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Serve the shop in another process, whose working directory is *folder*; gives it and its address."""
    ports = free_ports()
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "KAILASH_RUNS": str(folder / "runs.db"),
        "PYTHONPATH": str(HERE),
        "SHOP_PORTS": f"{ports[0]} {ports[1]}",
        **more,
    }
    program = subprocess.Popen([sys.executable, "-m", "contract.shop"], cwd=folder, env=environment)
    try:
        yield program, f"http://127.0.0.1:{ports[0]}"
    finally:
        program.kill()
        program.wait(20)


def answered(address: str) -> bool:
    """Whether a request is answered by 200 before patience ends."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as refused:
            if refused.code not in {404, 503}:
                return False
        except OSError:
            pass
        time.sleep(0.01)
    return False


def test_ten_models_answer_within_the_budget(database_url: str, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with serving(database_url, tmp_path, SHOP_MODELS="8") as (_, address):
        assert answered(f"{address}/api/thing7s?limit=1")

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < BUDGET


def test_discovery_never_blocks_the_start(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "blocks.py").write_text(BLOCKS)
    (tmp_path / "fine.py").write_text(FINE)

    with serving(sqlite_url, tmp_path, SHOP_DISCOVERS="1") as (program, address):
        assert answered(f"{address}/health/live")
        assert answered(f"{address}/api/products")
        assert answered(f"{address}/workflows/found/workflow/info")
        assert program.poll() is None


@pytest.mark.parametrize("package", ["kailash", "dataflow", "nexus"])
def test_an_import_loads_nothing_heavy(package: str) -> None:
    program = f"import sys; import {package}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())

    assert loaded & {"sqlalchemy", "asyncpg", "psycopg2", "fastapi", "starlette", "uvicorn", "mcp", "click"} == set()
