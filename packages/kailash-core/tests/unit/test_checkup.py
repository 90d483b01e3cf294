"""Which versions are there, whether they fit together, and which extras they lack: read from real metadata."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from kailash.checkup import Check, State, admits, extras, healthy, versions


def _install(folder: Path, name: str, version: str, *requirements: str) -> None:
    home = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    home.mkdir(parents=True)
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    (home / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {each}" for each in requirements)]) + "\n")


def _states(folder: Path) -> dict[str, Check]:
    return {check.name: check for check in versions([str(folder)])}


def test_versions_whose_ranges_meet_are_promised(tmp_path: Path) -> None:
    _install(tmp_path, "kailash-core", "1.4.0")
    _install(tmp_path, "dataflow", "0.12.0", "kailash-core<2,>=1.0", "msgspec>=0.20")
    _install(tmp_path, "nexus", "1.1.1", "kailash_core (>=1.4)")

    assert {name: check.said for name, check in _states(tmp_path).items() if name != "python"} == {
        "kailash-core": "1.4.0",
        "dataflow": "0.12.0",
        "nexus": "1.1.1",
        "together": "these versions are promised to work together",
    }


def test_a_version_that_needs_another_core_is_told_with_both(tmp_path: Path) -> None:
    _install(tmp_path, "kailash-core", "2.0.0")
    _install(tmp_path, "dataflow", "0.11.0", "kailash-core<2,>=1.0")
    _install(tmp_path, "nexus", "1.1.1", "kailash-core>=1.0")
    found = _states(tmp_path)["together"]

    assert found.state is State.FAILED
    assert found.said == "dataflow 0.11.0 needs kailash-core <2,>=1.0; 2.0.0 is installed"
    assert not healthy([found])


def test_one_alone_is_fine_and_what_is_not_there_is_said(tmp_path: Path) -> None:
    _install(tmp_path, "kailash-core", "1.0.0")
    found = _states(tmp_path)

    assert found["dataflow"] == Check("dataflow", State.NOTE, "not installed")
    assert found["together"].state is State.OK


def test_without_the_core_nothing_is_promised(tmp_path: Path) -> None:
    assert _states(tmp_path)["together"].state is State.FAILED


def test_somebody_elses_distribution_of_our_name_is_recognised(tmp_path: Path) -> None:
    """On the public index, two of the names are taken."""
    _install(tmp_path, "kailash-core", "1.0.0")
    _install(tmp_path, "dataflow", "0.1.0", "requests")
    found = _states(tmp_path)

    assert found["dataflow"].state is State.FAILED
    assert "somebody else" in found["dataflow"].said


def test_this_environment_is_promised() -> None:
    assert healthy(versions())


def test_extras_are_there_when_all_that_they_need_is(tmp_path: Path) -> None:
    _install(tmp_path, "Rich", "14.0")
    wanted = [
        "rich>=14; extra == 'console'",
        'mcp<3,>=2.3; extra == "mcp"',
        "a; extra == 'two'",
        "rich; extra == 'two'",
    ]
    _install(tmp_path, "nexus", "1.1.1", "click>=8", *wanted, "rich; extra == 'all'", "mcp; extra == 'all'")
    (found,) = extras("nexus", [str(tmp_path)])

    assert found == Check("extras of nexus", State.OK, "installed: console; not installed: mcp (mcp), two (a)")
    assert extras("absent", [str(tmp_path)]) == []


RELEASES = st.sampled_from(["1", "1.0", "1.0.0", "1.0.1", "1.1", "1.10", "2", "2.0.0", "0.9"])
ENDS = st.sampled_from(["", "", "a1", "b2", "rc1", ".post1", ".dev3", "a1.dev2"])
SPECIFIERS = st.builds("{}{}{}".format, st.sampled_from([">=", "<", ">", "<=", "==", "!="]), RELEASES, ENDS)


@given(st.lists(SPECIFIERS, min_size=1, max_size=3).map(",".join), st.builds("{}{}".format, RELEASES, ENDS))
def test_a_range_admits_what_an_installer_says_it_does(specifiers: str, version: str) -> None:
    assert admits(specifiers, version) == SpecifierSet(specifiers, prereleases=True).contains(version)


@pytest.mark.parametrize("unknown", ["~=1.0", "1.0", "=>1", "??"])
def test_a_range_that_cannot_be_read_admits_nothing(unknown: str) -> None:
    assert not admits(unknown, "1.0")
