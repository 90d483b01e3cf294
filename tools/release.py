"""Cut a release of one distribution: ``python tools/release.py dataflow minor`` (or a version, ``0.12.0``).

It makes two commits on the branch that is checked out, and a tag; it pushes nothing.

1. "Release dataflow 0.12.0": the version, the fragments of news/ collected into the package's CHANGELOG, the range of
   kailash-core (a new major or minor release asks for the core that it was tested with), what is promised from now
   on. This commit is the release, and carries the tag ``dataflow-v0.12.0``.
2. "Record the release of dataflow 0.12.0": its commit, in integration-tests/compat.toml.

Rule 1: everything is checked before anything is changed. What cannot be cut is a ReleaseError.
Rule 2: what fails halfway is undone, to the commit at which it began.
Rule 3: the core comes first. What is built against a core that nobody can get is not released.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from packaging.version import Version

import promises as book

PARTS: Final = ("major", "minor", "patch")
KINDS: Final = ("added", "changed", "fixed", "removed")
Say = Callable[[str], None]


class Cut(NamedTuple):
    """A release that was checked and can be made."""

    root: Path
    package: str
    version: str
    date: datetime.date
    core: str  # the range of kailash-core that it will declare
    promises: book.Promises

    @property
    def tag(self) -> str:
        """The tag of the release."""
        return f"{self.package}-v{self.version}"

    @property
    def home(self) -> Path:
        """The folder of the distribution."""
        return self.root / "packages" / self.package


# --- Checks: nothing here changes anything ---


def check(root: Path, package: str, wanted: str, date: datetime.date) -> Cut:
    """Return the release that *wanted* (a part or a version) of *package* means.

    Raises: ReleaseError for everything that stands against it.
    """
    book.known(package)
    _check_tree(root)
    promises = book.read(root)
    for release in promises.releases:
        book.demand_commit(root, release)
    here = book.present(root, package)
    version = next_version(package, here.version, [each.version for each in promises.of(package)], wanted)
    cut = Cut(root, package, version, date, "", promises)
    if book.git(root, "tag", "--list", cut.tag):
        raise book.ReleaseError(f"there is a tag {cut.tag} already; {book.FILE} does not know that release")
    _check_fragments(cut.home / "news")
    if importlib.util.find_spec("towncrier") is None:
        raise book.ReleaseError("towncrier is not installed; `pip install --group release` brings it")
    return cut._replace(core=_core(cut, here.core))


def _check_tree(root: Path) -> None:
    if not (root / ".git").exists():
        raise book.ReleaseError(f"{root} is not the root of a git clone")
    if dirty := book.git(root, "status", "--porcelain"):
        first = dirty.splitlines()[0].strip()
        raise book.ReleaseError(f"the tree is not clean ({first}); commit or stash what is there")
    if not book.git(root, "branch", "--show-current"):
        raise book.ReleaseError("no branch is checked out; the commits of a release belong on one")


def next_version(package: str, present: str, released: Sequence[str], wanted: str) -> str:
    """Return the version that *wanted* means; *released* is in order, the newest first.

    Raises: ReleaseError where it is no part and no version, or not one that may come next.
    """
    if wanted not in PARTS and not book.NUMBER.fullmatch(wanted):
        raise book.ReleaseError(f"{wanted!r} is neither a part ({', '.join(PARTS)}) nor a version such as 1.2.0")
    if not released:
        if wanted != present:
            raise book.ReleaseError(
                f"{package} {present} is not released yet; `tools/release.py {package} {present}` does it"
            )
        return present
    if present != released[0]:
        raise book.ReleaseError(f"the sources of {package} say {present}, and its last release is {released[0]}")
    last = Version(present)
    following = {
        "major": f"{last.major + 1}.0.0",
        "minor": f"{last.major}.{last.minor + 1}.0",
        "patch": f"{last.major}.{last.minor}.{last.micro + 1}",
    }
    version = following.get(wanted, wanted)
    if version not in following.values():
        raise book.ReleaseError(f"{version} cannot follow {package} {present}; {_or(list(following.values()))} can")
    return version


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _check_fragments(news: Path) -> None:
    fragments = sorted(path for path in news.glob("*") if path.name != "README.md")
    if not fragments:
        raise book.ReleaseError(f"there is no fragment in {news}; a release without a change is none")
    for path in fragments:
        kind = path.name.split(".")[1:2]
        if not path.name.endswith(".md") or kind[:1] == [] or kind[0] not in KINDS:
            raise book.ReleaseError(f"{path.name} in {news} is no fragment; call it <slug>.{'|'.join(KINDS)}.md")
        if not path.read_text().strip():
            raise book.ReleaseError(f"{path.name} in {news} is empty; say what a user can notice")


def _core(cut: Cut, declared: str) -> str:
    """Return the range of kailash-core for *cut*: a patch keeps it, a greater one asks for the core that is here."""
    if cut.package == book.CORE:
        return ""
    core = book.present(cut.root, book.CORE).version
    release = cut.promises.find(book.CORE, core)
    if release is None:
        raise book.ReleaseError(f"{book.CORE} {core} is not released; it comes first")
    if book.changed_since(cut.root, release):
        raise book.ReleaseError(f"{book.CORE} has changed since {core}; release it first")
    version = Version(core)
    patch = Version(cut.version).micro > 0 and bool(cut.promises.of(cut.package))
    chosen = declared if patch else f">={version.major}.{version.minor},<{version.major + 1}"
    if not book.admits(chosen, core):
        raise book.ReleaseError(f"{cut.package} declares {book.CORE}{chosen}, which refuses the {core} that is here")
    return chosen


# --- Making it ---


def make(cut: Cut, say: Say = print) -> str:
    """Make the two commits and the tag; return the commit of the release."""
    start = book.git(cut.root, "rev-parse", "HEAD")
    with contextlib.ExitStack() as failed:
        failed.callback(_undo, cut, start, say)
        _bump(cut)
        _collect(cut)
        _commit(cut, f"Release {cut.package} {cut.version}", _body(cut))
        commit = book.git(cut.root, "rev-parse", "HEAD")
        book.git(cut.root, "tag", "--annotate", cut.tag, "--message", f"{cut.package} {cut.version}")
        record(cut, commit)
        _commit(cut, f"Record the release of {cut.package} {cut.version}", "A clone may lack the tag.")
        failed.pop_all()
    return commit


def _undo(cut: Cut, start: str, say: Say) -> None:
    subprocess.run(["git", "-C", str(cut.root), "tag", "--delete", cut.tag], capture_output=True, check=False)
    book.git(cut.root, "reset", "--hard", start)
    say(f"the release of {cut.package} {cut.version} failed; everything is as it was")


def _bump(cut: Cut) -> None:
    path = book.version_file(cut.root, cut.package)
    path.write_text(book.SPOKEN.sub(f'__version__ = "{cut.version}"', path.read_text()))
    project = cut.home / "pyproject.toml"
    if cut.core:
        project.write_text(book.REQUIREMENT.sub(f'"{book.CORE}{cut.core}"', project.read_text(), count=1))
    here = {package: book.present(cut.root, package) for package in book.PACKAGES}
    promises = cut.promises._replace(promised=book.derive(cut.promises.releases, here))
    book.write(cut.root, promises)
    book.write_index(cut.root, promises)


def _collect(cut: Cut) -> None:
    words = ["build", "--yes", "--version", cut.version, "--date", cut.date.isoformat(), "--dir", str(cut.home)]
    ran = subprocess.run(
        [sys.executable, "-m", "towncrier", *words], cwd=cut.home, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise book.ReleaseError(f"towncrier failed: {(ran.stderr or ran.stdout).strip()}")


def record(cut: Cut, commit: str) -> None:
    """Write the release and its commit into compat.toml and the index."""
    promises = book.read(cut.root)
    made = book.Release(cut.package, cut.version, commit, cut.date, cut.core)
    promises = promises._replace(releases=(*promises.releases, made))
    book.write(cut.root, promises)
    book.write_index(cut.root, promises)


def _commit(cut: Cut, subject: str, body: str) -> None:
    book.git(cut.root, "add", "--all", f"packages/{cut.package}", book.FILE, "CHANGELOG.md")
    book.git(cut.root, "commit", "--quiet", "--message", subject, "--message", body)


def _body(cut: Cut) -> str:
    rows = [str(each) for each in book.read(cut.root).promised if each.of(cut.package) == cut.version]
    asks = f"It asks for {book.CORE}{cut.core}. " if cut.core else ""
    return f"{asks}Promised to work together from now on ({'/'.join(book.PACKAGES)}): {', '.join(rows)}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Cut a release; return the exit code."""
    parser = argparse.ArgumentParser(prog="tools/release.py", description="Cut a release of one distribution.")
    parser.add_argument("package", help=", ".join(book.PACKAGES))
    parser.add_argument("wanted", metavar="part|version", help=f"{', '.join(PARTS)}, or a version such as 1.2.0")
    parser.add_argument("--root", type=Path, default=book.PROJECT, help="the clone to release from; this one")
    parser.add_argument("--date", type=datetime.date.fromisoformat, default=None, help="today, in UTC")
    parser.add_argument("--check", action="store_true", help="say what would be done, and do nothing")
    given = parser.parse_args(arguments)
    date = given.date or datetime.datetime.now(datetime.UTC).date()
    try:
        cut = check(given.root.resolve(), given.package, given.wanted, date)
        if given.check:
            print(f"{cut.package} {cut.version} can be released")
            return 0
        commit = make(cut)
    except book.ReleaseError as refused:
        print(f"release: {refused}", file=sys.stderr)
        return 1
    print(f"{cut.package} {cut.version} is cut at {commit[:12]} and tagged {cut.tag}")
    print(f"git push --atomic origin HEAD {cut.tag}  # publishes it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
