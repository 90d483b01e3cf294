"""The repository as these tests see it: its sources, parsed once."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = tuple(sorted(ROOT.glob("packages/*/src/**/*.py")))


def relative(path: Path) -> str:
    """Return *path* as one says it in this repository."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@pytest.fixture
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(params=SOURCES, ids=relative)
def source(request: pytest.FixtureRequest) -> Path:
    """Each module of the three distributions."""
    path: Path = request.param
    return path


@pytest.fixture
def tree(source: Path) -> ast.Module:
    """The syntax tree of `source`."""
    return _parsed(source)
