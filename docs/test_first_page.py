"""The first page does what it says: from nothing to the answers of its commands, as a reader types them.

The one liberty: uv installs what the page tells pip to install, where uv is there. It takes a fifth of the time.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

PAGE = (Path(__file__).parent / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
SETUP = [command for command in COMMANDS if command.startswith(("python -m venv", "pip install ./packages"))]
ROOT = Path(__file__).parents[1]
LIMIT = 60.0  # seconds for an answer, on a loaded machine; a moment is usual
TWO_MINUTES = 120.0  # seconds of processor time, which a loaded machine does not stretch


@pytest.fixture(scope="module")
def spent() -> Callable[[], float]:
    """How much processor time the reader's commands have taken, in seconds."""

    def seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    began = seconds()
    return lambda: seconds() - began


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, spent: Callable[[], float]) -> Path:
    """The programs of an environment that the page's first two commands made."""
    home = tmp_path_factory.mktemp("reader") / ".venv"
    make, install = SETUP
    assert make == "python -m venv .venv && . .venv/bin/activate"
    python = home / "bin" / "python"
    wanted = [word.replace("./packages", str(ROOT / "packages")) for word in shlex.split(install)[2:]]
    uv = Path(sys.executable).with_name("uv")
    pip = [uv, "pip", "install", "--python", python] if uv.exists() else [python, "-m", "pip", "install"]
    for words in ([sys.executable, "-m", "venv", home], [*pip, "-q", *wanted]):
        ran = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    return home / "bin"


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
def environment(port: int, installed: Path) -> dict[str, str]:
    """The reader's environment; the ports of the page may be taken here."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "NEXUS_APP"}}
    path = f"{installed}{os.pathsep}{os.environ['PATH']}"
    return inherited | {"PATH": path, "NEXUS_PORT": str(port), "NEXUS_MCP_PORT": "0"}


@pytest.fixture
def served(folder: Path, environment: dict[str, str], installed: Path, port: int) -> Iterator[str]:
    """What the page's command serves, when it answers."""
    assert "nexus serve" in COMMANDS
    with subprocess.Popen(
        [installed / "nexus", "serve"], cwd=folder, env=environment, stderr=subprocess.PIPE
    ) as program:
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


@pytest.mark.timeout(300)
def test_a_reader_gets_from_nothing_to_a_request(
    folder: Path, environment: dict[str, str], installed: Path, served: str, spent: Callable[[], float]
) -> None:
    create, query = [command for command in COMMANDS if command.startswith("curl ")]
    (words,) = [command for command in COMMANDS if command.startswith("nexus products")]

    created = _curl(create, served)
    found = _curl(query, served)
    program, *rest = shlex.split(words)
    listed = subprocess.run(
        [installed / program, *rest], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )

    assert created.status_code == 201
    assert created.json()["name"] == "Lamp"
    assert [item["name"] for item in found.json()["items"]] == ["Lamp"]
    assert [item["price"] for item in json.loads(listed.stdout)["items"]] == [24.5]
    assert httpx.get(f"http://{served}/docs").status_code == 200
    assert spent() < TWO_MINUTES


def test_every_command_of_the_page_is_tried_or_installs() -> None:
    assert len(SETUP) == 2
    assert len(COMMANDS) == len(SETUP) + 4
