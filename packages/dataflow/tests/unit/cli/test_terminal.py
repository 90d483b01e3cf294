"""What a person sees on a terminal, and that a pipe sees none of it."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import TextIO

from dataflow.cli import output, terminal

ROWS = [{"step": "add column items.[red]note[/red]\x1b[2J", "verdict": "consent", "rows": 12}]
COLUMNS = ("step", "verdict", "rows")
WITHOUT = """
import sys
sys.modules.update({"rich": None})
from dataflow.cli import output, terminal
output.records(sys.stdout, "table", [{"step": "add column", "verdict": "consent"}], ("step", "verdict"))
with terminal.bar(sys.stdout, 2, "migrating") as step:
    step()
"""


def on_a_terminal(write: Callable[[TextIO], object]) -> str:
    """Return what *write* sends to a terminal."""
    seen, given = pty.openpty()
    with os.fdopen(given, "w", encoding="utf-8") as stream:
        write(stream)
    return shown(seen)


def shown(seen: int) -> str:
    """Return what a terminal shows that nobody writes to any more."""
    parts = []
    with contextlib.suppress(OSError):  # Linux ends a terminal by EIO
        while part := os.read(seen, 65_536):
            parts.append(part)
    os.close(seen)
    return b"".join(parts).decode()


def test_a_terminal_gets_a_table_with_words_of_the_database_as_they_are() -> None:
    text = on_a_terminal(lambda stream: output.records(stream, "table", ROWS, COLUMNS))

    assert "─" in text
    assert "[red]note[/red] [2J" in " ".join(text.split())
    assert "\x1b[2J" not in text
    assert [word in text for word in COLUMNS] == [True] * 3


def test_one_thing_is_a_line_for_each_of_its_entries() -> None:
    text = on_a_terminal(lambda stream: output.record(stream, "table", {"status": "healthy", "models": 3}))

    assert [line.split() for line in text.splitlines() if "models" in line] == [["models", "3"]]


def test_a_pipe_gets_plain_text_and_json_stays_json_on_a_terminal() -> None:
    pipe = io.StringIO()
    output.records(pipe, "table", ROWS, COLUMNS)

    assert pipe.getvalue().splitlines()[0].split() == [*COLUMNS]
    assert "\x1b" not in pipe.getvalue()
    assert on_a_terminal(lambda stream: output.records(stream, "json", [{"a": 1}], ("a",))).split() == [
        "[", "{", '"a":', "1", "}", "]"
    ]  # fmt: skip


def test_a_bar_tells_how_far_it_is() -> None:
    def work(stream: TextIO) -> None:
        with terminal.bar(stream, 4, "migrating") as step:
            for _ in range(4):
                step()

    text = on_a_terminal(work)

    assert "migrating" in text
    assert "4/4" in text


def test_a_terminal_without_the_extra_gets_plain_text() -> None:
    seen, given = pty.openpty()
    subprocess.run([sys.executable, "-c", WITHOUT], stdout=given, check=True)
    os.close(given)
    text = shown(seen)

    assert "add column  consent" in text
    assert "─" not in text
    assert "migrating" in text
