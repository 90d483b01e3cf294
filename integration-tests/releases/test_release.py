"""Releases are cut as one says, and what cannot be cut is refused before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from releases.made_up import FIRST, Repository

import promises as book
import release

DATE = "2026-11-21"
ROUND_TWO = {"kailash-core": "1.1.0", "dataflow": "0.12.0", "nexus": "1.2.0"}


def cut(repository: Repository, package: str, wanted: str) -> int:
    return release.main(["--root", str(repository.root), "--date", DATE, package, wanted])


def cut_all(repository: Repository, versions: dict[str, str]) -> None:
    assert [cut(repository, package, version) for package, version in versions.items()] == [0, 0, 0]


@pytest.fixture
def released(repository: Repository) -> Repository:
    """The repository after its first releases."""
    cut_all(repository, FIRST)
    return repository


# -- cutting


def test_a_release_is_a_version_its_changes_a_commit_and_a_tag(repository: Repository) -> None:
    assert cut(repository, "kailash-core", "1.0.0") == 0

    (made,) = book.read(repository.root).releases
    home = repository.root / "packages" / "kailash-core"
    assert (made.version, made.date.isoformat(), made.core) == ("1.0.0", DATE, "")
    assert made.commit == repository.git("rev-parse", "kailash-core-v1.0.0^{commit}")
    assert "## 1.0.0 (2026-11-21)\n\n### Added\n\n- kailash-core begins.\n" in (home / "CHANGELOG.md").read_text()
    assert [path.name for path in (home / "news").iterdir()] == ["README.md"]
    subjects = repository.git("log", "--format=%s").splitlines()
    assert subjects == ["Record the release of kailash-core 1.0.0", "Release kailash-core 1.0.0", "Begin"]
    assert repository.git("status", "--porcelain") == ""


def test_the_tagged_commit_promises_what_it_releases(released: Repository) -> None:
    """It cannot hold its own id: that is in the commit after it."""
    text = released.git("show", f"nexus-v1.1.1:{book.FILE}")

    assert 'nexus = "1.1.1"' in text.partition("[[promised]]")[2]


def test_the_last_two_releases_of_each_are_promised_as_far_as_metadata_admit(released: Repository) -> None:
    for package in ROUND_TWO:
        released.change(package)
    for package in ROUND_TWO:
        assert cut(released, package, "minor") == 0

    promises = book.read(released.root)
    assert [str(trio) for trio in promises.promised] == [
        "1.0.0/0.11.0/1.1.1",
        "1.1.0/0.11.0/1.1.1",
        "1.1.0/0.11.0/1.2.0",
        "1.1.0/0.12.0/1.1.1",
        "1.1.0/0.12.0/1.2.0",
    ]
    assert [str(trio) for trio in book.unpromised(promises.releases)] == [
        "1.0.0/0.11.0/1.2.0",
        "1.0.0/0.12.0/1.1.1",
        "1.0.0/0.12.0/1.2.0",
    ]
    assert {each.version: each.core for each in promises.of("dataflow")} == {"0.12.0": ">=1.1,<2", "0.11.0": ">=1.0,<2"}


def test_the_index_has_every_promise_and_since_when(repository: Repository) -> None:
    cut(repository, "kailash-core", "1.0.0")
    page = repository.root / "CHANGELOG.md"
    assert page.read_text().endswith("| 1.0.0 | 0.11.0 | 1.1.1 | in the making |\n")

    cut(repository, "dataflow", "0.11.0")
    cut(repository, "nexus", "1.1.1")

    assert page.read_text().endswith("| 1.0.0 | 0.11.0 | 1.1.1 | since 2026-11-21 |\n")


def test_a_patch_takes_the_place_of_what_it_mends_and_keeps_its_range(released: Repository) -> None:
    released.change("kailash-core")
    cut(released, "kailash-core", "minor")
    released.change("dataflow")

    assert cut(released, "dataflow", "patch") == 0

    promises = book.read(released.root)
    assert {trio.dataflow for trio in promises.promised} == {"0.11.1"}
    assert promises.of("dataflow")[0].core == ">=1.0,<2"


def test_a_major_release_of_the_core_leaves_what_refuses_it_behind(released: Repository) -> None:
    released.change("kailash-core")

    assert cut(released, "kailash-core", "major") == 0

    assert book.read(released.root).promised == (book.Trio("1.0.0", "0.11.0", "1.1.1"),)


def test_check_says_what_would_be_done_and_does_nothing(repository: Repository) -> None:
    before = repository.state()

    assert release.main(["--root", str(repository.root), "--check", "kailash-core", "1.0.0"]) == 0

    assert repository.state() == before


def test_what_fails_halfway_is_undone(repository: Repository) -> None:
    """An index without its table is found only when it is written."""
    (repository.root / "CHANGELOG.md").write_text("nothing\n")
    repository.commit("Break the index")
    before = repository.state()

    assert cut(repository, "kailash-core", "1.0.0") == 1

    assert repository.state() == before


# -- refusing


def dirty(repository: Repository) -> None:
    (repository.root / "left.txt").write_text("lying about")


def without_fragments(repository: Repository) -> None:
    repository.git("rm", "--quiet", "packages/kailash-core/news/first.added.md")
    repository.commit("Forget the news")


def with_a_stray_fragment(repository: Repository) -> None:
    repository.fragment("kailash-core", "first.feature.md", "Another kind.")
    repository.commit("Add a fragment of no kind")


def with_an_empty_fragment(repository: Repository) -> None:
    repository.fragment("kailash-core", "second.fixed.md", "")
    repository.commit("Say nothing")


def tagged(repository: Repository) -> None:
    repository.git("tag", "kailash-core-v1.0.0")


def detached(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--detach")


def without_a_version(repository: Repository) -> None:
    book.version_file(repository.root, "kailash-core").write_text("")
    repository.commit("Lose the version")


def with_a_broken_file(repository: Repository) -> None:
    (repository.root / book.FILE).write_text("[[release]\n")
    repository.commit("Break compat.toml")


def with_a_missing_commit(repository: Repository) -> None:
    path = repository.root / book.FILE
    path.write_text(
        f'{path.read_text()}\n[[release]]\npackage = "nexus"\nversion = "1.1.0"\ncore = ">=1.0,<2"\n'
        f'date = 2026-01-01\ncommit = "{"0" * 40}"\n'
    )
    repository.commit("Name a commit that nobody has")


Break = Callable[[Repository], None]


@pytest.mark.parametrize(
    ("package", "wanted", "spoil", "message"),
    [
        ("kailash", "1.0.0", None, "there is no package 'kailash'; did you mean kailash-core?"),
        ("unknown", "1.0.0", None, "there is no package 'unknown'; there are kailash-core, dataflow, nexus"),
        ("kailash-core", "1.0.0", dirty, "the tree is not clean (?? left.txt); commit or stash"),
        ("kailash-core", "1.0.0", without_fragments, "there is no fragment in"),
        ("kailash-core", "1.0.0", with_a_stray_fragment, "first.feature.md in"),
        ("kailash-core", "1.0.0", with_an_empty_fragment, "second.fixed.md in"),
        ("kailash-core", "1.0.0", tagged, "there is a tag kailash-core-v1.0.0 already"),
        ("kailash-core", "1.0.0", detached, "no branch is checked out"),
        ("kailash-core", "1.0.0", without_a_version, "has no line `__version__ = ...`"),
        ("kailash-core", "1.0.0", with_a_broken_file, "integration-tests/compat.toml cannot be read"),
        ("kailash-core", "1.0.0", with_a_missing_commit, "nexus 1.1.0 was cut at 000000000000, which this clone lacks"),
        ("kailash-core", "minor", None, "is not released yet; `tools/release.py kailash-core 1.0.0` does it"),
        ("kailash-core", "newest", None, "'newest' is neither a part (major, minor, patch) nor a version"),
        ("kailash-core", "1.0", None, "'1.0' is neither a part"),
        ("dataflow", "0.11.0", None, "kailash-core 1.0.0 is not released; it comes first"),
    ],
)
def test_what_cannot_be_released_is_refused_before_anything_is_changed(
    repository: Repository,
    package: str,
    wanted: str,
    spoil: Break | None,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if spoil is not None:
        spoil(repository)
    before = repository.state()

    assert cut(repository, package, wanted) == 1

    assert message in capsys.readouterr().err
    assert repository.state() == before


@pytest.mark.parametrize("wanted", ["1.0.0", "0.9.0", "1.0.2", "1.2.0", "3.0.0"])
def test_versions_come_in_order(released: Repository, wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    released.change("kailash-core")

    assert cut(released, "kailash-core", wanted) == 1

    assert f"{wanted} cannot follow kailash-core 1.0.0; 2.0.0, 1.1.0 or 1.0.1 can" in capsys.readouterr().err


def test_a_changed_core_is_released_before_what_is_built_on_it(
    released: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    released.change("kailash-core")
    released.change("dataflow")

    assert cut(released, "dataflow", "minor") == 1

    assert "kailash-core has changed since 1.0.0; release it first" in capsys.readouterr().err


def test_a_version_that_was_changed_by_hand_is_refused(
    released: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    path = book.version_file(released.root, "nexus")
    path.write_text(path.read_text().replace("1.1.1", "1.1.9"))
    released.change("nexus")

    assert cut(released, "nexus", "patch") == 1

    assert "the sources of nexus say 1.1.9, and its last release is 1.1.1" in capsys.readouterr().err


def test_a_folder_that_is_no_clone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["--root", str(tmp_path), "nexus", "patch"]) == 1

    assert "is not the root of a git clone" in capsys.readouterr().err
