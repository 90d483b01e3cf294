"""The page that explains the layers, and the contracts that enforce them, list the same ones."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def _contract(name: str) -> list[list[str]]:
    """Return the layers, highest first; each is the sorted names of its modules."""
    (layers,) = (each["layers"] for each in CONTRACTS if each["id"] == name)
    return [sorted(re.findall(r"\w+", layer)) for layer in layers]


def _explained(name: str) -> list[list[str]]:
    """Return the layers of one table of the page: the first column under its heading, highest first."""
    _, _, after = PAGE.read_text().partition(f"\n### Layers of `{name}`\n")
    section = re.split(r"\n##", after)[0]
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return [sorted(re.findall(r"\w+", row)) for row in rows]


@pytest.mark.parametrize("package", ["kailash", "dataflow", "nexus"])
def test_the_page_lists_the_layers_of_the_contract(package: str) -> None:
    assert _explained(package) == _contract(package)


@pytest.mark.parametrize("contract", [each["id"] for each in CONTRACTS])
def test_every_contract_is_explained(contract: str) -> None:
    assert f"`{contract}`" in PAGE.read_text()
