"""Build the distributions the same way each time, and tell whether a wheel is what its sources say.

``python tools/wheels.py FOLDER [PACKAGE ...]`` builds the wheel and the source distribution of what is here.

Rule 1: the same sources give the same bytes, wherever, whenever and by whomever: the time in the archives is the
commit's (SOURCE_DATE_EPOCH, https://reproducible-builds.org/specs/source-date-epoch/).
Rule 2: a release is built from its commit, never from the tree.
Rule 3: a wheel is believed when its RECORD holds, its modules are byte for byte those of its sources, and it asks for
what they ask for and nothing else: no other distribution, no other program.
"""

from __future__ import annotations

import argparse
import base64
import configparser
import csv
import email
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import promises as book

KINDS: Final = ("wheel", "sdist")
EARLIEST: Final = 315_532_800  # 1980-01-01, the first second that a ZIP archive can name
# hatchling takes no folder: it builds what it stands in.
HATCHLING: Final = "import sys, hatchling.cli as cli; sys.exit(cli.hatchling())"


class TamperedError(book.ReleaseError):
    """A wheel is not what its sources say."""


def build(source: Path, into: Path, epoch: int, kinds: Sequence[str] = KINDS) -> list[Path]:
    """Build the distribution whose folder is *source*; return the files, which are new in *into*.

    epoch: seconds since 1970, the time that the archives carry.

    Raises: ReleaseError with what the build backend says.
    """
    into.mkdir(parents=True, exist_ok=True)
    before = set(into.iterdir())
    targets = [word for kind in kinds for word in ("-t", kind)]
    ran = subprocess.run(
        [sys.executable, "-c", HATCHLING, "build", *targets, "-d", str(into.resolve())],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(max(epoch, EARLIEST)), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise book.ReleaseError(f"{source} cannot be built: {(ran.stderr or ran.stdout).strip()[-600:]}")
    return sorted(set(into.iterdir()) - before)


def export(root: Path, commit: str, package: str, into: Path) -> Path:
    """Write the folder of *package* at *commit* into *into*; return the folder.

    The repository's .gitignore comes along, because the build backend puts it into source distributions.
    """
    places = [f"packages/{package}", *book.git(root, "ls-tree", "--name-only", commit, ".gitignore").splitlines()]
    ran = subprocess.run(["git", "-C", str(root), "archive", commit, *places], capture_output=True, check=False)
    if ran.returncode:
        raise book.ReleaseError(f"git archive failed: {ran.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(ran.stdout)) as archive:
        archive.extractall(into, filter="data")
    return into / "packages" / package


def epoch_of(root: Path, commit: str = "HEAD") -> int:
    """Return when *commit* was made, in seconds since 1970; a tree without commits is of 1980."""
    try:
        return int(book.git(root, "log", "-1", "--format=%ct", commit))
    except book.ReleaseError:
        return EARLIEST


def released(root: Path, release: book.Release, folder: Path) -> Path:
    """Return the wheel of *release*, built from its commit; one that is in *folder* already is looked at again.

    Raises: ReleaseError where this clone lacks the commit; TamperedError where a wheel is not what the commit says.
    """
    commit = book.demand_commit(root, release)
    home = folder / f"{release.package}-{release.version}-{commit[:12]}"
    shutil.rmtree(home / "source", ignore_errors=True)  # what is compared with is always the commit's
    source = export(root, commit, release.package, home / "source")
    wheel = next(iter(home.glob("*.whl")), None)
    if wheel is None:
        (wheel,) = build(source, home, epoch_of(root, commit), ["wheel"])
    verify(wheel, source, release.package, release.version)
    return wheel


def verify(wheel: Path, source: Path, package: str, version: str) -> None:
    """Hold a wheel against the folder of its distribution.

    Raises: TamperedError, naming the first thing that is not as it must be.
    """
    import_name = book.PACKAGES[package]
    try:
        with zipfile.ZipFile(wheel) as archive:
            held = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    except (zipfile.BadZipFile, OSError) as fault:
        raise TamperedError(f"{wheel.name} cannot be read: {fault}") from fault
    meta = f"{package.replace('-', '_')}-{version}.dist-info"
    _hold_record(wheel, held, f"{meta}/RECORD")
    said = email.message_from_bytes(held.get(f"{meta}/METADATA", b""))
    if (said["Name"], said["Version"]) != (package, version):
        raise TamperedError(f"{wheel.name} says that it is {said['Name']} {said['Version']}, not {package} {version}")
    _hold_wishes(wheel, source, said, held.get(f"{meta}/entry_points.txt", b""))
    files = {name: content for name, content in held.items() if name.startswith(f"{import_name}/")}
    strangers = {name for name in held if not name.startswith((f"{import_name}/", f"{meta}/"))}
    expected = {
        path.relative_to(source / "src").as_posix(): path.read_bytes()
        for path in (source / "src" / import_name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in sorted(strangers | (files.keys() ^ expected.keys())):
        raise TamperedError(f"{wheel.name}: {name} is in {'the sources' if name in expected else 'the wheel'} alone")
    for name, content in files.items():
        if content != expected[name]:
            raise TamperedError(f"{wheel.name}: {name} is not what the sources have")


def _hold_wishes(wheel: Path, source: Path, said: Message, programs: bytes) -> None:
    """Check what a wheel makes an installer do, besides copying files, against what its sources ask for."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    groups = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    asked = sorted(_wish(each) for group in groups for each in group)
    if asked != sorted(_wish(each) for each in said.get_all("Requires-Dist", [])):
        raise TamperedError(f"{wheel.name}: METADATA needs other distributions than the sources do")
    found = configparser.ConfigParser(delimiters="=")
    found.optionxform = str  # type: ignore[assignment,method-assign]  # names of programs are as they are written
    found.read_string(programs.decode())
    points = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    if {name: dict(found[name]) for name in found.sections()} != {name: each for name, each in points.items() if each}:
        raise TamperedError(f"{wheel.name}: entry_points.txt has other programs than the sources do")


def _wish(spelled: str) -> tuple[str, str]:
    need = Requirement(spelled)
    return canonicalize_name(need.name), str(need.specifier)


def _hold_record(wheel: Path, held: dict[str, bytes], record: str) -> None:
    """Check every file against RECORD, which installers do not do.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    if record not in held:
        raise TamperedError(f"{wheel.name} has no {record}")
    rows = {row[0]: row[1] for row in csv.reader(io.StringIO(held[record].decode())) if row}
    for name, content in held.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if name != record and rows.get(name) != f"sha256={digest}":
            raise TamperedError(f"{wheel.name}: {name} is not what RECORD says")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is here; print each file with its digest, as sha256sum does."""
    parser = argparse.ArgumentParser(prog="tools/wheels.py", description="Build the distributions reproducibly.")
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("packages", nargs="*", metavar="package", help="all of them, if none is named")
    parser.add_argument("--root", type=Path, default=book.PROJECT)
    parser.add_argument("--tag", help="refuse to build anything but the release of this tag (dataflow-v0.12.0)")
    given = parser.parse_args(arguments)
    root = given.root.resolve()
    try:
        packages = [book.known(each) for each in given.packages] or list(book.PACKAGES)
        if given.tag:
            packages = [_tagged(root, given.tag)]
        for package in packages:
            source = root / "packages" / package
            for path in build(source, given.folder, epoch_of(root)):
                if path.suffix == ".whl":
                    verify(path, source, package, book.present(root, package).version)
                print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    except book.ReleaseError as refused:
        print(f"wheels: {refused}", file=sys.stderr)
        return 1
    return 0


def _tagged(root: Path, tag: str) -> str:
    """Return the distribution that *tag* releases, where the sources here are that version.

    Raises: ReleaseError where they are not.
    """
    package, _, version = tag.rpartition("-v")
    here = book.present(root, book.known(package)).version
    if here != version:
        raise book.ReleaseError(f"the tag {tag} is on sources that say {here}")
    return package


if __name__ == "__main__":
    sys.exit(main())
