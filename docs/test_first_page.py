"""The first page does what it says: from its file to the answers of its commands, as a reader types them."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

PAGE = (Path(__file__).parent / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
BIN = Path(sys.executable).parent
LIMIT = 60.0  # seconds for an answer, on a loaded machine; a moment is usual


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        number: int = held.getsockname()[1]
        return number


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reader's folder, with the page's one program."""
    (program,) = re.findall(r"Write this to `app\.py`:\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "app.py").write_text(program)
    return tmp_path


@pytest.fixture
def environment(port: int) -> dict[str, str]:
    """The reader's environment; the ports of the page may be taken here."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "NEXUS_APP"}}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return inherited | {"PATH": path, "NEXUS_PORT": str(port), "NEXUS_MCP_PORT": "0"}


@pytest.fixture
def served(folder: Path, environment: dict[str, str], port: int) -> Iterator[str]:
    """What the page's command serves, when it answers."""
    assert "nexus serve" in COMMANDS
    with subprocess.Popen([BIN / "nexus", "serve"], cwd=folder, env=environment, stderr=subprocess.PIPE) as program:
        try:
            assert program.stderr is not None
            said = program.stderr.readline().decode()  # when the port is open, or when it ended
            assert said.startswith(f"Shop on http://127.0.0.1:{port}"), said
            yield f"localhost:{port}"
        finally:
            program.terminate()


def _curl(command: str, place: str) -> httpx.Response:
    """Do what a ``curl`` of the page does."""
    words = shlex.split(command.replace("localhost:8000", place))
    url, headers, body = "http://" + words[1], {}, None
    for option, value in zip(words[2::2], words[3::2], strict=True):
        if option == "-H":
            name, _, text = value.partition(": ")
            headers[name] = text
        elif option == "-d":
            body = value
        else:
            raise AssertionError(f"curl {option}")
    return httpx.request("POST" if body else "GET", url, headers=headers, content=body, timeout=LIMIT)


def test_a_reader_gets_from_the_page_to_a_request(folder: Path, environment: dict[str, str], served: str) -> None:
    create, query = [command for command in COMMANDS if command.startswith("curl ")]
    (words,) = [command for command in COMMANDS if command.startswith("nexus products")]

    created = _curl(create, served)
    found = _curl(query, served)
    listed = subprocess.run(shlex.split(words), cwd=folder, env=environment, capture_output=True, text=True, check=True)

    assert created.status_code == 201
    assert created.json()["name"] == "Lamp"
    assert [item["name"] for item in found.json()["items"]] == ["Lamp"]
    assert [item["price"] for item in json.loads(listed.stdout)["items"]] == [24.5]
    assert httpx.get(f"http://{served}/docs").status_code == 200


def test_every_command_of_the_page_is_tried_or_installs() -> None:
    setup = [command for command in COMMANDS if command.startswith(("python -m venv", "pip install ./packages"))]

    assert len(setup) == 2
    assert len(COMMANDS) == len(setup) + 4
