"""What is promised to work together is what is written down, and what the distributions are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import promises as book

ROOT = Path(__file__).parents[2]
WRITTEN = book.read(ROOT)


def test_the_versions_that_are_installed_are_promised_to_work_together() -> None:
    installed = [importlib.import_module(f"{package}._version").__version__ for package in book.PACKAGES.values()]

    assert book.Trio(*installed) in WRITTEN.promised


def test_what_is_promised_is_what_the_distributions_declare() -> None:
    here = {package: book.present(ROOT, package) for package in book.PACKAGES}

    assert WRITTEN.promised == book.derive(WRITTEN.releases, here)


def test_the_changelog_has_the_promised_combinations() -> None:
    rows = re.findall(r"^\| \d.*\n", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert rows == book.index(WRITTEN)


def test_a_release_says_in_its_sources_what_is_written_of_it() -> None:
    """A shallow clone fetches the commit of a release; one that cannot fails."""
    for release in WRITTEN.releases:
        folder = f"{book.demand_commit(ROOT, release)}:packages/{release.package}"
        spoken = book.git(ROOT, "show", f"{folder}/src/{book.PACKAGES[release.package]}/_version.py")
        project = book.git(ROOT, "show", f"{folder}/pyproject.toml")
        ranges = [each.replace(" ", "") for each in book.REQUIREMENT.findall(project)]

        assert book.SPOKEN.findall(spoken) == [release.version]
        assert ranges == [release.core] * bool(release.core)
