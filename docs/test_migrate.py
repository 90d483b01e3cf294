"""The migration guide is true: older blocks run and warn as it says, current ones run without a warning.

A block ``refused`` asks for what this version does not have, and says with which error; a ``file`` lies beside the
program that follows it.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import reference
from dataflow import options
from dataflow.upgrade.finding import MOVED
from dataflow.upgrade.reading import upgraded
from kailash.errors import NotAvailableError
from pages import enter, leave

GUIDE = Path(__file__).parent / "how-to" / "migrate"
BLOCK = re.compile(
    r"^<!-- (older|current|refused|file: \S+) -->\n```python\n(.*?)^```\n"
    r"(?:\nIt (?:warns|says):\n\n```text\n(.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


class Block(msgspec.Struct, frozen=True):
    """One program of the guide, the files beside it, and what the guide says that it warns of or is refused with."""

    page: str
    line: int
    age: str
    program: str
    says: tuple[str, ...]
    files: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> Iterator[Block]:
    for page in sorted(GUIDE.glob("*.md")):
        text, files = page.read_text(), dict[str, str]()
        for found in BLOCK.finditer(text):
            age, program, said = found.groups(default="")
            if age.startswith("file: "):
                files[age.removeprefix("file: ")] = program
                continue
            line = text.count("\n", 0, found.start()) + 3
            yield Block(page.name, line, age, program, tuple(said.splitlines()), files)
            files = {}


BLOCKS = [*_blocks()]
OLDER = [block for block in BLOCKS if block.age == "older"]
CURRENT = [block for block in BLOCKS if block.age == "current"]
REFUSED = [block for block in BLOCKS if block.age == "refused"]
PATHS = [Path(name).with_suffix("") for block in BLOCKS for name in block.files]
OWN = {".".join(path.parts[: depth + 1]) for path in PATHS for depth in range(len(path.parts))}  # modules of programs


@pytest.fixture
def namespace() -> Iterator[dict[str, Any]]:
    """What a program runs in: a folder of its own, and a database that the environment names."""
    made: dict[str, Any] = {"__name__": "program"}
    enter(made)
    folder, known = os.getcwd(), set(sys.modules)
    os.environ["DATABASE_URL"] = "sqlite:///environment.db"
    sys.path.insert(0, folder)
    try:
        yield made
    finally:
        del os.environ["DATABASE_URL"]
        sys.path.remove(folder)
        for name in OWN & set(sys.modules) - known:
            del sys.modules[name]
        leave(made)


def _run(block: Block, namespace: dict[str, Any], bring: Callable[[str], str] = str) -> None:
    """Run a program as it stands, or as *bring* makes it and the files beside it."""
    for name, text in block.files.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(bring(text))
    importlib.invalidate_caches()
    exec(compile(bring(block.program), "program.py", "exec", dont_inherit=True), namespace)


def _upgraded(program: str) -> str:
    return upgraded(program).source


def test_the_guide_has_programs_of_both_ages() -> None:
    assert len(OLDER) >= 7
    assert len(CURRENT) >= 7
    marks = sum(page.read_text().count("\n<!-- ") for page in GUIDE.glob("*.md"))
    assert marks == sum(1 + len(block.files) for block in BLOCKS) + 6  # generated parts


@pytest.mark.parametrize("block", OLDER, ids=str)
def test_an_older_program_runs_and_warns_as_the_guide_says(block: Block, namespace: dict[str, Any]) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        _run(block, namespace)

    assert [str(each.message) for each in heard] == [*block.says]
    assert {each.category for each in heard} <= {DeprecationWarning}
    own = {"program.py", *(os.path.join(os.getcwd(), name) for name in block.files)}
    assert {each.filename for each in heard} <= own  # at the line of the program, and nowhere inside


@pytest.mark.parametrize("block", CURRENT, ids=str)
def test_a_current_program_runs_without_a_warning(block: Block, namespace: dict[str, Any]) -> None:
    with warnings.catch_warnings(action="error"):
        _run(block, namespace)


@pytest.mark.parametrize("block", REFUSED, ids=str)
def test_what_this_version_does_not_have_is_refused_as_the_guide_says(block: Block, namespace: dict[str, Any]) -> None:
    with pytest.raises(NotAvailableError) as refused:
        _run(block, namespace)

    assert [str(refused.value)] == [*block.says]


@pytest.mark.parametrize("block", OLDER, ids=str)
def test_an_upgraded_program_runs_without_a_warning(block: Block, namespace: dict[str, Any]) -> None:
    with warnings.catch_warnings(action="error"):
        _run(block, namespace, _upgraded)


@pytest.mark.parametrize("block", CURRENT, ids=str)
def test_a_current_program_is_left_alone_by_upgrading(block: Block) -> None:
    for program in (block.program, *block.files.values()):
        found = upgraded(program)

        assert found.source == program
        assert not found.undecided


@pytest.mark.parametrize("name", [*options.RENAMED, *options.NEEDLESS, *MOVED])
def test_everything_older_is_shown_in_a_program(name: str) -> None:
    assert any(name in program for block in OLDER for program in (block.program, *block.files.values()))


@pytest.mark.parametrize(
    ("page", "part", "table"),
    [
        ("how-to/migrate/README.md", "parameters", reference.parameters_table),
        ("how-to/migrate/README.md", "addresses", reference.addresses_table),
        ("how-to/migrate/fast-and-full.md", "later", reference.later_table),
        ("reference/options.md", "parameters", reference.parameters_table),
    ],
)
def test_the_tables_are_what_the_code_says(page: str, part: str, table: Any) -> None:
    text = (Path(__file__).parent / page).read_text()

    assert reference.written(text, part, table()) == text, "run: python tools/reference.py"
