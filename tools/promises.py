"""Which releases there are and which of them are promised to work together: ``integration-tests/compat.toml``.

Rule 1: the file is data. A release is a version and the commit that it was cut at, because a clone may lack tags.
Rule 2: what is promised follows from what the distributions declare: the last two releases of each, in every
combination that their ranges of kailash-core admit. So a resolver and this file never disagree.
Rule 3: a patch (1.1.2 after 1.1.1) takes the place of what it mends; "the last two" counts 1.1 and 1.0.
"""

from __future__ import annotations

import datetime
import difflib
import itertools
import re
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

PACKAGES: Final = {"kailash-core": "kailash", "dataflow": "dataflow", "nexus": "nexus"}  # distribution -> import
CORE: Final = "kailash-core"
FILE: Final = "integration-tests/compat.toml"
PROJECT: Final = Path(__file__).resolve().parents[1]
HEADER: Final = """\
# Which versions are promised to work together. Read by the tests, by CI, and by the table of CHANGELOG.md.
# tools/release.py writes it: each release with the commit that it was cut at (a clone may lack the tags), and every
# combination of the last two releases of each that their ranges of kailash-core admit.
"""
NUMBER: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
REQUIREMENT: Final = re.compile(r'"kailash-core *(?P<range>[<>=!~][^";]*)"')
SPOKEN: Final = re.compile(r'^__version__ = "([^"]*)"$', re.MULTILINE)
MAKING: Final = "in the making"


class ReleaseError(Exception):
    """Something about versions and releases is not as it must be; the message says what to do. Nothing was changed."""


class Release(NamedTuple):
    """A version of a distribution that was cut, and where."""

    package: str
    version: str
    commit: str
    date: datetime.date
    core: str  # the range of kailash-core that it declares; "" for kailash-core itself


class Trio(NamedTuple):
    """One version of each distribution, in the order of `PACKAGES`."""

    core: str
    dataflow: str
    nexus: str

    def __str__(self) -> str:
        return "/".join(self)

    def of(self, package: str) -> str:
        """Return the version of *package*."""
        return self[list(PACKAGES).index(package)]


class Promises(NamedTuple):
    """The content of compat.toml."""

    releases: tuple[Release, ...] = ()
    promised: tuple[Trio, ...] = ()

    def of(self, package: str) -> list[Release]:
        """Return the releases of *package*, the newest first."""
        return sorted([each for each in self.releases if each.package == package], key=_order, reverse=True)

    def find(self, package: str, version: str) -> Release | None:
        """Return the release of *package* with this version."""
        return next((each for each in self.releases if (each.package, each.version) == (package, version)), None)


class Present(NamedTuple):
    """What a distribution's sources say of themselves."""

    version: str
    core: str


def known(package: str) -> str:
    """Return *package*.

    Raises: ReleaseError where it is none of ours, naming the closest.
    """
    if package in PACKAGES:
        return package
    close = difflib.get_close_matches(package, [*PACKAGES, *PACKAGES.values()], 1)
    ours = {import_name: name for name, import_name in PACKAGES.items()}
    hint = f"did you mean {ours.get(close[0], close[0])}?" if close else f"there are {', '.join(PACKAGES)}"
    raise ReleaseError(f"there is no package {package!r}; {hint}")


def git(root: Path, *words: str) -> str:
    """Return what a git command says.

    Raises: ReleaseError with git's own reason.
    """
    ran = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise ReleaseError(f"git {words[0]} failed: {ran.stderr.strip()}")
    return ran.stdout.strip()


def has_commit(root: Path, commit: str) -> bool:
    """Whether the clone has *commit*."""
    asked = ["git", "-C", str(root), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _fetch(root: Path, commit: str) -> bool:
    """Bring *commit*, without what came before it, into a clone that was made shallow; whether that went well."""
    shallow = git(root, "rev-parse", "--is-shallow-repository") == "true"
    asked = ["git", "-C", str(root), "fetch", "--quiet", "--depth", "1", "origin", commit]
    return shallow and subprocess.run(asked, capture_output=True, check=False).returncode == 0


def demand_commit(root: Path, release: Release) -> str:
    """Return the commit of *release*; a shallow clone fetches it from where it was cloned.

    Raises: ReleaseError where this clone lacks it.
    """
    if not has_commit(root, release.commit) and not _fetch(root, release.commit):
        raise ReleaseError(
            f"{FILE} says that {release.package} {release.version} was cut at {release.commit[:12]}, which this clone "
            "lacks; `git fetch --unshallow` brings the whole history"
        )
    return release.commit


# --- The file ---


def read(root: Path) -> Promises:
    """Return what compat.toml of *root* says.

    Raises: ReleaseError where it cannot be understood.
    """
    try:
        content = tomllib.loads((root / FILE).read_text())
        releases = tuple(_release(row) for row in content.get("release", []))
        promised = tuple(Trio(*(_number(row[each]) for each in PACKAGES)) for row in content.get("promised", []))
    except (OSError, tomllib.TOMLDecodeError, KeyError) as fault:
        raise ReleaseError(f"{FILE} cannot be read: {type(fault).__name__}: {fault}") from fault
    twice = {(each.package, each.version) for each in releases}
    if len(twice) != len(releases):
        raise ReleaseError(f"{FILE} names a release twice")
    return Promises(releases, promised)


def write(root: Path, promises: Promises) -> None:
    """Write compat.toml of *root*."""
    parts = [HEADER]
    for each in promises.releases:
        core = f'core = "{each.core}"\n' if each.core else ""
        parts.append(
            f'[[release]]\npackage = "{each.package}"\nversion = "{each.version}"\n{core}'
            f'date = {each.date.isoformat()}\ncommit = "{each.commit}"\n'
        )
    for trio in promises.promised:
        rows = "".join(f'{package} = "{version}"\n' for package, version in zip(PACKAGES, trio, strict=True))
        parts.append(f"[[promised]]\n{rows}")
    (root / FILE).write_text("\n".join(parts))


def _release(row: Mapping[str, object]) -> Release:
    package, commit, date = known(str(row["package"])), str(row["commit"]), row["date"]
    if not COMMIT.fullmatch(commit):
        raise ReleaseError(f"{FILE}: the commit of {package} {row['version']} is no full commit id")
    if not isinstance(date, datetime.date):
        raise ReleaseError(f"{FILE}: the date of {package} {row['version']} is no date")
    return Release(package, _number(row["version"]), commit, date, str(row.get("core", "")))


def _number(value: object) -> str:
    if not NUMBER.fullmatch(str(value)):
        raise ReleaseError(f"{FILE}: {value!r} is no version of three numbers")
    return str(value)


def _order(release: Release) -> Version:
    return Version(release.version)


# --- The sources ---


def version_file(root: Path, package: str) -> Path:
    """Return where the version of *package* is written."""
    return root / "packages" / package / "src" / PACKAGES[package] / "_version.py"


def present(root: Path, package: str) -> Present:
    """Return what the sources of *package* say of themselves.

    Raises: ReleaseError where they say nothing.
    """
    path = version_file(root, package)
    found = SPOKEN.search(path.read_text()) if path.exists() else None
    if found is None:
        raise ReleaseError(f"{path.relative_to(root)} has no line `__version__ = ...`")
    return Present(found[1], "" if package == CORE else range_of_core(root / "packages" / package / "pyproject.toml"))


def range_of_core(project: Path) -> str:
    """Return the range of kailash-core that a pyproject.toml declares, as ``>=1.0,<2``.

    Raises: ReleaseError where it declares none.
    """
    found = REQUIREMENT.search(project.read_text())
    if found is None:
        raise ReleaseError(f"{project} declares no range of kailash-core")
    return found["range"].replace(" ", "")


def changed_since(root: Path, release: Release) -> bool:
    """Whether what is built of the sources here is no longer what *release* was built of.

    Raises: ReleaseError where this clone lacks the release's commit.
    """
    folder = f"packages/{release.package}"
    places = [f"{folder}/src", f"{folder}/pyproject.toml"]
    asked = ["git", "-C", str(root), "diff", "--quiet", demand_commit(root, release), "--", *places]
    strangers = git(root, "ls-files", "--others", "--exclude-standard", "--", *places)
    return bool(strangers) or subprocess.run(asked, capture_output=True, check=False).returncode != 0


# --- What follows ---


def admits(core_range: str, core: str) -> bool:
    """Whether a declared range of kailash-core admits this version of it."""
    return SpecifierSet(core_range).contains(core, prereleases=True)


def last_two(versions: Iterable[str]) -> list[str]:
    """Return the newest version and the newest of the minor line before it, the older first."""
    lines: dict[tuple[int, int], Version] = {}
    for version in sorted(map(Version, versions)):
        lines[version.major, version.minor] = version
    return [str(version) for _, version in sorted(lines.items())][-2:]


def derive(releases: Sequence[Release], here: Mapping[str, Present]) -> tuple[Trio, ...]:
    """Return every combination that is promised, given the releases and the sources here, the oldest first."""
    ranges = {(each.package, each.version): each.core for each in releases}
    ranges |= {(package, each.version): each.core for package, each in here.items()}
    axes = [last_two(version for name, version in ranges if name == package) for package in PACKAGES]
    return tuple(
        trio
        for trio in map(Trio._make, itertools.product(*axes))
        if all(admits(ranges[package, trio.of(package)], trio.core) for package in PACKAGES if package != CORE)
    )


def unpromised(releases: Sequence[Release]) -> list[Trio]:
    """Return every combination of the last two releases of each that is not promised."""
    axes = [last_two(each.version for each in releases if each.package == package) for package in PACKAGES]
    held = set(derive(releases, {}))
    return [trio for trio in map(Trio._make, itertools.product(*axes)) if trio not in held]


def demand_promise(promises: Promises, spelled: str) -> Trio:
    """Return the promised combination that *spelled* (``1.0.0/0.11.0/1.1.1``) names.

    Raises: ReleaseError where it is not promised, naming those that are.
    """
    parts = tuple(spelled.split("/"))
    if len(parts) != len(PACKAGES) or Trio(*parts) not in promises.promised:
        rows = ", ".join(map(str, promises.promised)) or "none"
        raise ReleaseError(f"{spelled} is not promised ({'/'.join(PACKAGES)}); promised are: {rows}")
    return Trio(*parts)


# --- The index, CHANGELOG.md ---

ROWS: Final = re.compile(r"(\| kailash-core \| dataflow \| nexus \| \|\n\|---\|---\|---\|---\|\n)((?:\|.*\n)*)")


def index(promises: Promises) -> list[str]:
    """Return the rows of the table in CHANGELOG.md: a promised combination, and since when."""
    rows = []
    for trio in promises.promised:
        found = [promises.find(package, trio.of(package)) for package in PACKAGES]
        dates = [each.date for each in found if each is not None]
        since = f"since {max(dates).isoformat()}" if len(dates) == len(PACKAGES) else MAKING
        rows.append(f"| {' | '.join(trio)} | {since} |\n")
    return rows


def write_index(root: Path, promises: Promises) -> None:
    """Write the table of CHANGELOG.md anew.

    Raises: ReleaseError where the page has no such table.
    """
    page = root / "CHANGELOG.md"
    text, found = ROWS.subn(lambda old: old[1] + "".join(index(promises)), page.read_text())
    if not found:
        raise ReleaseError("CHANGELOG.md has no table of the versions that work together")
    page.write_text(text)
