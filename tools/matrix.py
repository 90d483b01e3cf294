"""Which wheels take part in the compatibility matrix, and which combinations are tried in which environments.

Rule 1: "previous" and "current" are the last two releases of a distribution; once its sources have changed, what is
here ("tree") stands beside its last release.
Rule 2: a release is built from its commit, and a wheel is held against its sources before it takes part.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import environments
import promises as book
import wheels

TREE: Final = "tree"
DIAGONAL: Final = (("3.11", "oldest"), ("3.13", "newest"), ("3.12", "sqlalchemy-2.0"))


class Built(NamedTuple):
    """A wheel that takes part: a release, or what is here."""

    package: str
    version: str
    label: str  # the version, or "tree"
    core: str
    wheel: Path


Row = tuple[Built, Built, Built]  # in the order of `book.PACKAGES`


class Cell(NamedTuple):
    """One combination in one environment."""

    row: Row
    python: str
    dependencies: str
    other: tuple[Built, Built] | None = None  # a core and another dataflow, which takes turns on a database

    @property
    def name(self) -> str:
        """How it is called in reports."""
        return f"{spelled(self.row):<24} py{self.python} {self.dependencies}"


def spelled(row: Row) -> str:
    """Return a combination as ``1.0.0/0.11.0/tree``."""
    return "/".join(each.label for each in row)


# --- What takes part ---


class Field:
    """All wheels of a run, built and held against their sources."""

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.promises = root, book.read(root)
        folder = work / "wheels"
        self.released: dict[tuple[str, str], Built] = {}
        for release in self.promises.releases:
            if release.version in book.last_two(each.version for each in self.promises.of(release.package)):
                wheel = wheels.released(root, release, folder)
                built = Built(release.package, release.version, release.version, release.core, wheel)
                self.released[release.package, release.version] = built
        core, data, web = (self._here(package, folder / TREE) for package in book.PACKAGES)
        self.here: Row = (core, data, web)

    def _here(self, package: str, folder: Path) -> Built:
        """Return the release that the sources are, or what they are now."""
        present = book.present(self.root, package)
        release = self.promises.find(package, present.version)
        if release is not None and not book.changed_since(self.root, release):
            return self.released[package, present.version]
        for old in folder.glob(f"{package.replace('-', '_')}-*.whl"):
            old.unlink()
        source = self.root / "packages" / package
        (wheel,) = wheels.build(source, folder, wheels.epoch_of(self.root), ["wheel"])
        wheels.verify(wheel, source, package, present.version)
        return Built(package, present.version, TREE, present.core, wheel)

    def rows(self) -> list[Row]:
        """Return the promised combinations of releases, and what is here beside the last of them."""
        promised = [row for trio in self.promises.promised if len(row := self._row(trio)) == len(book.PACKAGES)]
        beside = itertools.product([self.here[0]], *(self._here_and_last(each) for each in self.here[1:]))
        rows = [*promised, *(row for row in beside if fits(row))]
        return [(core, data, web) for core, data, web in dict.fromkeys(rows)]

    def _row(self, trio: book.Trio) -> tuple[Built, ...]:
        found = (self.released.get((package, trio.of(package))) for package in book.PACKAGES)
        return tuple(each for each in found if each is not None)

    def _here_and_last(self, here: Built) -> list[Built]:
        last = [self.released[here.package, each.version] for each in self.promises.of(here.package)[:1]]
        return list(dict.fromkeys([*last, here]))

    def refused(self) -> list[Row]:
        """Return the combinations of releases that are not promised."""
        rows = [self._row(trio) for trio in book.unpromised(self.promises.releases)]
        return [(row[0], row[1], row[2]) for row in rows]


def fits(row: Sequence[Built]) -> bool:
    """Whether the ranges of the others admit the core."""
    return all(book.admits(each.core, row[0].version) for each in row[1:])


def cells(rows: Sequence[Row], pythons: Sequence[str]) -> list[Cell]:
    """Return every row in every environment; two releases of dataflow take turns where everything is newest."""
    found = []
    for python, dependencies in itertools.product(pythons, environments.SETS):
        met: set[Built] = set()
        for row in rows:
            other = None if dependencies != "newest" or row[1] in met else another(row, rows)
            met.add(row[1])
            found.append(Cell(row, python, dependencies, other))
    return found


def another(row: Row, rows: Sequence[Row]) -> tuple[Built, Built] | None:
    """Return the newest other dataflow that is tried, with a core that suits it."""
    return next(((each[0], each[1]) for each in reversed(rows) if each[1] != row[1]), None)


def diagonal(rows: Sequence[Row], here: Row, pythons: Sequence[str]) -> list[Cell]:
    """Return each row in one environment; what is here alone is what all other tests try."""
    chosen = [each for each in DIAGONAL if each[0] in pythons] or [(pythons[0], "newest")]
    combined = [row for row in rows if row != here]
    places = [chosen[number % len(chosen)] for number in range(len(combined))]
    return [Cell(row, *place, another(row, rows)) for row, place in zip(combined, places, strict=True)]
