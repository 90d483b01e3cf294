"""The migration guide is true: older blocks run and warn as it says, current ones run without a warning."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import reference
from dataflow import options
from dataflow.upgrade.finding import MOVED
from dataflow.upgrade.reading import upgraded
from pages import enter, leave

GUIDE = Path(__file__).parent / "how-to" / "migrate"
BLOCK = re.compile(
    r"^<!-- (older|current) -->\n```python\n(.*?)^```\n(?:\nIt warns:\n\n```text\n(.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


class Block(msgspec.Struct, frozen=True):
    """One program of the guide, and the warnings that the guide says it gives."""

    page: str
    line: int
    age: str
    program: str
    warns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> Iterator[Block]:
    for page in sorted(GUIDE.glob("*.md")):
        text = page.read_text()
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 3
            yield Block(page.name, line, found[1], found[2], tuple((found[3] or "").splitlines()))


BLOCKS = [*_blocks()]
OLDER = [block for block in BLOCKS if block.age == "older"]
CURRENT = [block for block in BLOCKS if block.age == "current"]


@pytest.fixture
def namespace() -> Iterator[dict[str, Any]]:
    """What a program runs in: a folder of its own, and a database that the environment names."""
    made: dict[str, Any] = {"__name__": "program"}
    enter(made)
    os.environ["DATABASE_URL"] = "sqlite:///environment.db"
    try:
        yield made
    finally:
        del os.environ["DATABASE_URL"]
        leave(made)


def _run(program: str, namespace: dict[str, Any]) -> None:
    exec(compile(program, "program.py", "exec", dont_inherit=True), namespace)


def test_the_guide_has_programs_of_both_ages() -> None:
    assert len(OLDER) >= 7
    assert len(CURRENT) >= 7
    assert sum(page.read_text().count("\n<!-- ") for page in GUIDE.glob("*.md")) == len(BLOCKS) + 4  # generated parts


@pytest.mark.parametrize("block", OLDER, ids=str)
def test_an_older_program_runs_and_warns_as_the_guide_says(block: Block, namespace: dict[str, Any]) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        _run(block.program, namespace)

    assert [str(each.message) for each in heard] == [*block.warns]
    assert {each.category for each in heard} <= {DeprecationWarning}
    assert {each.filename for each in heard} <= {"program.py"}  # at the line of the program, and nowhere inside


@pytest.mark.parametrize("block", CURRENT, ids=str)
def test_a_current_program_runs_without_a_warning(block: Block, namespace: dict[str, Any]) -> None:
    with warnings.catch_warnings(action="error"):
        _run(block.program, namespace)


@pytest.mark.parametrize("block", OLDER, ids=str)
def test_an_upgraded_program_runs_without_a_warning(block: Block, namespace: dict[str, Any]) -> None:
    with warnings.catch_warnings(action="error"):
        _run(upgraded(block.program).source, namespace)


@pytest.mark.parametrize("block", CURRENT, ids=str)
def test_a_current_program_is_left_alone_by_upgrading(block: Block) -> None:
    found = upgraded(block.program)

    assert found.source == block.program
    assert not found.undecided


@pytest.mark.parametrize("name", [*options.RENAMED, *options.NEEDLESS, *MOVED])
def test_everything_older_is_shown_in_a_program(name: str) -> None:
    assert any(name in block.program for block in OLDER)


@pytest.mark.parametrize(
    ("page", "part", "table"),
    [
        ("how-to/migrate/README.md", "parameters", reference.parameters_table),
        ("how-to/migrate/README.md", "addresses", reference.addresses_table),
        ("reference/options.md", "parameters", reference.parameters_table),
    ],
)
def test_the_tables_are_what_the_code_says(page: str, part: str, table: Any) -> None:
    text = (Path(__file__).parent / page).read_text()

    assert reference.written(text, part, table()) == text, "run: python tools/reference.py"
