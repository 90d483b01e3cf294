"""What is promised to work together is what is written down, and what the distributions are."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"kailash-core": "kailash", "dataflow": "dataflow", "nexus": "nexus"}
PROMISED = tomllib.loads((ROOT / "integration-tests" / "compat.toml").read_text())["promised"]


def test_the_present_versions_are_promised_to_work_together() -> None:
    present = {
        each: importlib.import_module(f"{package}._version").__version__ for each, package in DISTRIBUTIONS.items()
    }

    assert present in [{each: row[each] for each in DISTRIBUTIONS} for row in PROMISED]


def test_the_changelog_has_the_promised_combinations() -> None:
    rows = re.findall(r"^\| (\d\S*) \| (\S+) \| (\S+) \|", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert rows == [tuple(row[each] for each in DISTRIBUTIONS) for row in PROMISED]
