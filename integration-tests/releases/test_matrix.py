"""Which combinations are tried, and which requests for one are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from releases.made_up import FIRST, Repository

import compat
import environments
import matrix
import promises as book
import release

ROUND_TWO = {"kailash-core": "1.1.0", "dataflow": "0.12.0", "nexus": "1.2.0"}


def cut(repository: Repository, versions: dict[str, str]) -> None:
    for package, version in versions.items():
        assert release.main(["--root", str(repository.root), package, version]) == 0


@pytest.fixture
def twice(repository: Repository) -> Repository:
    """The repository after two rounds of releases."""
    cut(repository, FIRST)
    for package in ROUND_TWO:
        repository.change(package)
    cut(repository, ROUND_TWO)
    return repository


def field(repository: Repository) -> matrix.Field:
    return matrix.Field(repository.root, repository.root / ".workshop")


def spelled(rows: list[matrix.Row]) -> list[str]:
    return [matrix.spelled(row) for row in rows]


def test_before_the_first_release_there_is_what_is_here(repository: Repository) -> None:
    assert spelled(field(repository).rows()) == ["tree/tree/tree"]


def test_with_one_release_of_each_there_is_nothing_to_combine(repository: Repository) -> None:
    cut(repository, FIRST)

    here = field(repository)

    assert spelled(here.rows()) == ["1.0.0/0.11.0/1.1.1"]
    assert matrix.diagonal(here.rows(), here.here, ["3.11"]) == []


def test_what_has_changed_stands_beside_its_last_release(repository: Repository) -> None:
    cut(repository, FIRST)
    repository.change("kailash-core")
    repository.change("nexus")

    assert spelled(field(repository).rows()) == ["1.0.0/0.11.0/1.1.1", "tree/0.11.0/1.1.1", "tree/0.11.0/tree"]


def test_every_promised_combination_is_tried_and_every_other_is_to_be_refused(twice: Repository) -> None:
    here = field(twice)

    assert spelled(here.rows()) == [str(trio) for trio in book.read(twice.root).promised]
    assert spelled(here.refused()) == ["1.0.0/0.11.0/1.2.0", "1.0.0/0.12.0/1.1.1", "1.0.0/0.12.0/1.2.0"]


def test_every_row_is_tried_in_every_environment_and_takes_turns_once_for_each_dataflow(twice: Repository) -> None:
    rows = field(twice).rows()

    cells = matrix.cells(rows, ["3.11", "3.13"])

    assert len({(cell.row, cell.python, cell.dependencies) for cell in cells}) == len(cells) == 5 * 2 * 3
    turns = [(cell.python, cell.row[1].label, cell.other[1].label) for cell in cells if cell.other]
    pairs = [("0.11.0", "0.12.0"), ("0.12.0", "0.11.0")]
    assert turns == [(python, *pair) for python in ("3.11", "3.13") for pair in pairs]
    assert all(matrix.fits(cell.other) for cell in cells if cell.other)


def test_the_diagonal_has_each_combination_once(twice: Repository) -> None:
    here = field(twice)

    cells = matrix.diagonal(here.rows(), here.here, ["3.11", "3.12", "3.13"])

    assert spelled([cell.row for cell in cells]) == spelled(here.rows())[:-1]
    assert [(cell.python, cell.dependencies) for cell in cells] == [*matrix.DIAGONAL, matrix.DIAGONAL[0]]


@pytest.mark.timeout(300)
def test_a_resolver_refuses_what_is_not_promised_and_takes_what_is(twice: Repository, tmp_path: Path) -> None:
    here = field(twice)
    trial = compat.Trial(twice.root, tmp_path, "")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"

    answers = trial.refuse([*here.refused(), *here.rows()], here.here, python)

    assert [held for _, held in answers] == [True] * 3 + [False] * 5


@pytest.mark.parametrize("row", ["1.0.0/0.12.0/1.2.0", "1.0.0/0.11.0", "newest", "1.0.0/0.11.0/9.9.9"])
def test_a_combination_that_is_not_promised_is_not_tried(
    twice: Repository, row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compat.main(["--root", str(twice.root), "--only", row]) == 1

    said = capsys.readouterr().err
    assert f"{row} is not promised" in said
    assert "promised are: 1.0.0/0.11.0/1.1.1, 1.1.0/0.11.0/1.1.1" in said


def test_a_release_that_this_clone_lacks_ends_the_run(twice: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    path = twice.root / book.FILE
    commit = book.read(twice.root).releases[0].commit
    path.write_text(path.read_text().replace(commit, "0" * 40))

    assert compat.main(["--root", str(twice.root), "--list"]) == 1

    assert "kailash-core 1.0.0 was cut at 000000000000, which this clone lacks" in capsys.readouterr().err


def test_a_python_that_is_not_here_is_named(twice: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    absent = next((each for each in compat.PYTHONS if environments.interpreter(each) is None), None)
    if absent is None:
        assert environments.interpreter("3.99") is None  # a machine with all of them has nothing to refuse
        return

    assert compat.main(["--root", str(twice.root), "--python", absent]) == 1

    assert f"Python {absent} is not on this machine" in capsys.readouterr().err


@pytest.mark.timeout(300)
def test_an_environment_holds_one_combination_after_the_other(twice: Repository, tmp_path: Path) -> None:
    """And nothing of the one before; what is others' stays."""
    rows = field(twice).rows()
    environment = environments.Environment(tmp_path / "environment", Path(sys.executable), environments.SETS["newest"])

    def held(*wheels: Path) -> dict[str, str]:
        environment.prepare(wheels, ["packaging"])
        lists = "from importlib.metadata import distributions as d; print(*(f'{e.name}={e.version}' for e in d()))"
        said = subprocess.run([environment.python, "-c", lists], capture_output=True, text=True, check=True).stdout
        return dict(word.split("=") for word in said.split())

    for row in (rows[0], rows[-1], rows[0]):
        found = held(*(each.wheel for each in row))
        assert {package: found.get(package) for package in book.PACKAGES} == {
            each.package: each.version for each in row
        }
        assert "packaging" in found
    assert held(rows[0][0].wheel).keys() & book.PACKAGES.keys() == {book.CORE}
