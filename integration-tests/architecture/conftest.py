"""The repository as these tests see it: its sources, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def sources() -> Mapping[Path, str]:
    """The text of each module of the three distributions, by its path from the repository's root."""
    paths = sorted(ROOT.glob("packages/*/src/**/*.py"))
    return {path.relative_to(ROOT): path.read_text() for path in paths}


@pytest.fixture(scope="session")
def trees(sources: Mapping[Path, str]) -> Mapping[Path, ast.Module]:
    """The syntax tree of each of them."""
    return {path: ast.parse(text, str(path)) for path, text in sources.items()}
