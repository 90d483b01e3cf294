"""Discovery finds every good workflow, and nothing in a folder can be in its way."""

from __future__ import annotations

import builtins
import colorsys
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from kailash.errors import ConfigurationError
from nexus.discovery import candidates, discover

GOOD = """
from kailash import WorkflowBuilder

def greet(name: str) -> dict:
    return {"text": "Hello " + name}

greeting = WorkflowBuilder("greeting_of_NAME")
greeting.add_node(greet, "greet", {"name": "{{name}}"})
unnamed_NAME = WorkflowBuilder()
unnamed_NAME.add_node(greet, "greet", {"name": "{{name}}"})
built = greeting.build()
_private = WorkflowBuilder("private")
"""
SLEEPS = "import threading\nfrom kailash import WorkflowBuilder\nthreading.Event().wait()\nnever = WorkflowBuilder()\n"
RAISES = "from kailash import WorkflowBuilder\nlate = WorkflowBuilder()\nraise RuntimeError('not today')\n"
EXITS = "from kailash import WorkflowBuilder\nlate = WorkflowBuilder()\nraise SystemExit(3)\n"
MODELS = "raise AssertionError('models are left alone')\n@db.model\nclass Product:\n    name: str\n"
NOISE = "raise AssertionError('noise is left alone')\nregister = 1\nWorkflow = None\n"
BROKEN = "WorkflowBuilder(\n"

pytestmark = pytest.mark.usefixtures("imports_are_forgotten")


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", path.stem))
    return folder


class Offered:
    """Takes what is offered; refuses one name."""

    def __init__(self, refused: str = "") -> None:
        self.names: list[str] = []
        self.refused = refused

    def __call__(self, name: str, workflow: Any) -> None:
        if name == self.refused:
            raise ConfigurationError(f"another workflow is named {name!r}")
        self.names.append(name)


def test_every_good_workflow_is_found_and_every_bad_file_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path, d_models=MODELS, d_sleeps=SLEEPS, d_raises=RAISES, d_exits=EXITS, d_broken=BROKEN)
    written(tmp_path, d_good=GOOD, d_inner__deep=GOOD, d_inner__test_deep=RAISES, tests__d_more=RAISES)
    written(tmp_path, **{f"d_noise_{number}": NOISE for number in range(200)})
    offered = Offered()

    with caplog.at_level(logging.WARNING, "nexus"):
        found = discover(tmp_path, offered, limit=0.5)

    assert sorted(set(offered.names)) == ["greeting_of_d_good", "greeting_of_deep", "unnamed_d_good", "unnamed_deep"]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "no workflows from d_exits.py",
        "no workflows from d_raises.py",
        "no workflows from d_sleeps.py",
    ]
    assert {each.path: each.trouble for each in found if each.trouble} == {
        "d_exits.py": "its import fails with SystemExit: 3",
        "d_raises.py": "its import fails with RuntimeError: not today",
        "d_sleeps.py": "its import takes longer than 0.5 seconds",
    }


def test_a_module_that_is_loaded_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, d_once=GOOD + "\nimport builtins\nbuiltins.d_once = getattr(builtins, 'd_once', 0) + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import d_once  # type: ignore[import-not-found]

    offered = Offered()

    discover(tmp_path, offered)

    assert builtins.d_once == 1  # type: ignore[attr-defined]
    assert d_once.greeting.name in offered.names


def test_the_program_itself_says_what_it_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, d_program=GOOD + "\napplication = object()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import d_program  # type: ignore[import-not-found]

    offered = Offered()

    discover(tmp_path, offered, owner=d_program.application)

    assert offered.names == []


def test_a_file_that_registers_is_imported_and_nothing_more(tmp_path: Path) -> None:
    registers = "class app:\n    @staticmethod\n    def register(*given): pass\napp.register('by hand', greeting)\n"
    written(tmp_path, d_registers=GOOD + registers)
    offered = Offered()

    (found,) = discover(tmp_path, offered)

    assert (found.trouble, offered.names) == ("", [])
    assert "d_registers" in sys.modules


def test_a_refused_name_is_one_warning(tmp_path: Path) -> None:
    written(tmp_path, d_good=GOOD)

    (found,) = discover(tmp_path, Offered(refused="greeting_of_d_good"))

    assert "another workflow is named" in found.trouble


def test_a_file_that_is_named_as_another_module_is_skipped(tmp_path: Path) -> None:
    written(tmp_path, colorsys=GOOD)
    assert colorsys.__name__ == "colorsys"  # that of the standard library is loaded

    (found,) = discover(tmp_path, Offered())

    assert found.trouble == "another module is named 'colorsys'"


def test_candidates_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    written(tmp_path, b=GOOD, a=GOOD, sub__c=GOOD)

    assert [path.name for path, _ in candidates(tmp_path)] == ["a.py", "b.py", "c.py"]


PROGRAM = """
from nexus import Nexus

app = Nexus(api_port=0, mcp_port=None, auto_discovery=True)

@app.api_endpoint("/made")
def made() -> int:
    return Nexus.made

Nexus.made = getattr(Nexus, "made", 0) + 1
app.start()
"""
REIMPORTS = """
from app import app

@app.handler("hello")
def hello(name: str) -> dict:
    return {"text": "Hello " + name}
"""


@pytest.mark.timeout(240)  # seconds; it starts a program, on a machine that may be busy
def test_a_server_finds_workflows_while_it_serves(tmp_path: Path) -> None:
    written(tmp_path, app=PROGRAM, reimports=REIMPORTS, good=GOOD, sleeps=SLEEPS)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "app.py"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split(" on ")[1].split()[0]
        try:
            names: set[str] = set()
            with httpx.Client(base_url=url, timeout=60) as client:
                while len(names) < 3:
                    names = {each["name"] for each in client.get("/workflows").json()["workflows"]}
                made = client.get("/made").json()
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()

    assert names == {"hello", "greeting_of_good", "unnamed_good"}
    assert made == 1
    assert process.returncode == 0
