"""The program as a process: a pipe, a terminal, a server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHOP = """
from nexus import Nexus
from nexus.testing import notes_provider

print("a program may print")
shop = Nexus(title="Shop")
notes = notes_provider()
shop.add(notes)
for number in range(3):
    notes._create({"title": f"note {number} " + "long " * 20, "stars": number})
shop.start()
"""
PATIENCE = 170  # seconds; generous: a busy machine is no failure
INTERRUPT = "\x03"  # Control-C
SILENCE = 0.3  # seconds without a word: the program waits for an answer
HEAVY = ("sqlalchemy", "fastapi", "starlette", "uvicorn", "mcp", "pydantic", "rich")

pytestmark = pytest.mark.timeout(PATIENCE + 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the application in ``main.py``."""
    (tmp_path / "main.py").write_text(SHOP)
    return tmp_path


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "nexus", *words]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUS_", "NO_COLOR"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TERM": "xterm", **more}


def piped(folder: Path, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )


def on_terminal(folder: Path, *words: str, typed: str = "", **variables: str) -> tuple[int, str]:
    """Return the exit code, and what a person sees whose terminal is 60 cells wide and who answers with *typed*."""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a terminal's program hears of Ctrl-C, whoever runs these tests
        os.chdir(folder)
        os.execve(sys.executable, command(*words), environment(COLUMNS="60", LINES="20", **variables))
    shown = conversation(terminal, typed)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def conversation(terminal: int, typed: str) -> str:
    """Return everything that is shown until the program ends; once it asks and is silent, *typed* is typed."""
    shown, answered = b"", False
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while True:
            if select.select([terminal], [], [], PATIENCE if answered else SILENCE)[0]:
                part = os.read(terminal, 65_536)
                if not part:
                    break
                shown += part
            elif b"?" in shown and not answered:
                os.write(terminal, typed.encode())
                answered = True
    return shown.decode()


def test_a_pipe_gets_json_and_nothing_else(folder: Path) -> None:
    ran = piped(folder, "notes", "list")

    assert ran.returncode == 0
    assert [each["stars"] for each in json.loads(ran.stdout)["items"]] == [0, 1, 2]
    assert "a program may print" in ran.stderr


def test_a_terminal_gets_a_table_that_fits(folder: Path) -> None:
    code, shown = on_terminal(folder, "notes", "list", "--limit", "2")

    lines = [line for line in shown.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() if line]
    assert code == 0
    assert "\x1b[1m" in shown
    assert lines[1].startswith("id")
    assert all(len(line) <= 60 for line in lines[:-1])
    assert "--all" in lines[-1]


@pytest.mark.parametrize("words", [["--no-color"], []])
def test_color_can_be_refused(folder: Path, words: list[str]) -> None:
    variables = {} if words else {"NO_COLOR": "1"}

    assert "\x1b[" not in on_terminal(folder, "notes", "list", *words, **variables)[1]


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 6), (INTERRUPT, 130)])
def test_a_person_is_asked_before_anything_is_destroyed(folder: Path, typed: str, code: int) -> None:
    exit_code, shown = on_terminal(folder, "notes", "bulk-delete", "--stars-gte", "1", typed=typed)

    assert code == exit_code, shown
    assert "notes bulk-delete of 2 records: really?" in shown
    assert shown.endswith("\n")


def test_yes_is_an_answer_given_beforehand(folder: Path) -> None:
    assert "really" not in on_terminal(folder, "notes", "delete", "1", "--yes")[1]


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    with subprocess.Popen(
        [*command("notes", "list", "--all", "--output", "ndjson")],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()

    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_strings_leave_as_they_are_stored_whatever_the_locale(folder: Path) -> None:
    (folder / "main.py").write_text(SHOP.replace('"long " * 20', '"茶\\r\\n"'))
    ran = subprocess.run(
        command("notes", "get", "1"),
        cwd=folder,
        env=environment(LC_ALL="C", PYTHONIOENCODING="latin-1"),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )

    assert json.loads(ran.stdout.decode("utf-8"))["title"] == "note 0 茶\r\n"


def test_help_works_without_an_application(tmp_path: Path) -> None:
    ran = piped(tmp_path, "--help")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "serve" in ran.stdout
    assert "no application found here" in ran.stdout


def test_help_lists_the_resources(folder: Path) -> None:
    assert "notes" in piped(folder, "--help").stdout


def test_help_works_with_a_broken_application(folder: Path) -> None:
    (folder / "main.py").write_text(SHOP + "1 / 0\n")
    ran = piped(folder, "--help")

    assert ran.returncode == 0
    assert "ZeroDivisionError" in ran.stdout


def test_a_fault_of_the_application_shows_its_traceback_only_when_asked_for(folder: Path) -> None:
    (folder / "main.py").write_text(SHOP.replace("shop.start()", "1 / 0"))

    assert "Traceback" not in piped(folder, "notes", "list").stderr
    assert "Traceback" in piped(folder, "notes", "list", "--verbose").stderr


def test_a_fault_inside_tells_no_details(folder: Path) -> None:
    (folder / "main.py").write_text(SHOP.replace("shop.start()", "notes._count = lambda given: 1 / 0"))
    ran = piped(folder, "--output", "json", "notes", "count")

    assert (ran.returncode, json.loads(ran.stderr.splitlines()[-1])["code"]) == (1, "fault")
    assert "ZeroDivision" not in ran.stderr


def test_help_loads_nothing_heavy(folder: Path) -> None:
    script = "import sys; from nexus.channels.cli.app import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert not {name.partition(".")[0] for name in ran.stderr.split()} & set(HEAVY)


def test_completion_knows_the_resources_and_their_commands(folder: Path) -> None:
    def complete(words: str) -> str:
        variables = {"_NEXUS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
        done = subprocess.run(
            command(),
            cwd=folder,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout

    assert "plain,bulk-create" in complete("nexus notes bulk")


def wait_for(process: subprocess.Popen[str], said: Callable[[str], bool]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if said(line):
            return line
    raise AssertionError(f"the program ended with {process.wait()}")


def test_serve_serves_until_it_is_interrupted(folder: Path) -> None:
    with subprocess.Popen(
        command("serve", "--port", "0", "--mcp-port", "0"),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        line = wait_for(process, lambda text: "http://" in text)
        url = next(word for word in line.split() if word.startswith("http://"))
        with urllib.request.urlopen(f"{url}/api/notes/1", timeout=30) as answer:
            assert json.load(answer)["id"] == 1
        process.send_signal(signal.SIGINT)

        assert process.wait(30) == 0


def test_routes_lists_what_is_served(folder: Path) -> None:
    routes = json.loads(piped(folder, "routes", "-o", "json").stdout)["items"]

    assert {"method": "GET", "path": "/api/notes/{id}"}.items() <= next(
        each for each in routes if each["path"] == "/api/notes/{id}" and each["method"] == "GET"
    ).items()


def test_mcp_speaks_over_the_standard_streams(folder: Path) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
    }
    ran = piped(folder, "mcp", input=json.dumps(hello) + "\n")

    assert "serverInfo" in json.loads(ran.stdout.splitlines()[0])["result"]
