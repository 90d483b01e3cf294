"""What the built distributions say about themselves.

On the public index, the names ``dataflow`` and ``nexus`` belong to other people (docs/explanation/publishing.md).
Nothing that we build may therefore ask an index for them.
"""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"kailash-core": "kailash", "dataflow": "dataflow", "nexus": "nexus"}
FOREIGN = {"dataflow", "nexus"}


def _required(requirement: str) -> str:
    """Return the distribution that a requirement names, as an index spells it."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name.group()).lower()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three built wheels: those of this run, or built here."""
    if ready := os.environ.get("KAILASH_TEST_WHEELS"):
        return Path(ready)
    folder = tmp_path_factory.mktemp("wheels")
    for distribution in DISTRIBUTIONS:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
            cwd=ROOT / "packages" / distribution,
            check=True,
            capture_output=True,
        )
    return folder


@pytest.fixture(params=DISTRIBUTIONS)
def wheel(request: pytest.FixtureRequest, wheels: Path) -> zipfile.ZipFile:
    """Each built wheel."""
    (path,) = wheels.glob(f"{request.param.replace('-', '_')}-*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    """What the wheel says about itself."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_no_wheel_asks_an_index_for_a_name_that_is_not_ours(metadata: Message) -> None:
    required = {_required(each) for each in metadata.get_all("Requires-Dist", [])}

    assert required & FOREIGN == set()


def test_a_wheel_carries_its_licence_its_types_and_its_python(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())
    assert any(name.endswith("/py.typed") for name in wheel.namelist())


def test_a_wheel_holds_every_module_and_no_test(wheel: zipfile.ZipFile, metadata: Message) -> None:
    source = ROOT / "packages" / metadata["Name"] / "src"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    packed = {name for name in wheel.namelist() if name.endswith(".py")}

    assert packed == modules


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_distribution_depends_on_core_at_most(distribution: str) -> None:
    project = tomllib.loads((ROOT / "packages" / distribution / "pyproject.toml").read_text())["project"]
    extras = [each for group in project.get("optional-dependencies", {}).values() for each in group]
    required = {_required(each) for each in (*project["dependencies"], *extras)}

    assert required & FOREIGN == set()
    assert ("kailash-core" in required) == (distribution != "kailash-core")


def test_no_page_tells_anybody_to_install_a_name_that_is_not_ours() -> None:
    """``pip install dataflow`` installs somebody else's program."""
    command = re.compile(
        r"(?:pip install|uv add|uv pip install|pipx install|uvx)\s[^\n`]*?(?<![\w./-])(dataflow|nexus)\b"
    )
    pages = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("packages/*/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
    wrong = [
        f"{page.relative_to(ROOT)}: {line.strip()}"
        for page in pages
        for line in page.read_text().splitlines()
        if command.search(line)
    ]

    assert wrong == []
