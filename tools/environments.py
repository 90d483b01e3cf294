"""Virtual environments that hold our wheels and, of everything else, exactly what was asked for.

Rule 1: our distributions come from wheel files, with no index in sight (``--no-index``): on the public index two of
the names belong to other people. What they need of others is resolved first, from what the wheels declare.
Rule 2: the resolver that a user has decides: what it refuses is refused.
"""

from __future__ import annotations

import email
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import promises as book

# Other code, another environment; and sources that every process would have to compile anew.
MISLEADING: Final = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"}
EXTRAS: Final = {"nexus": ("mcp", "console")}  # what the tests exercise
# What the tests of an installed combination need besides it.
TOOLS: Final = (
    "pytest>=9.0",
    "pytest-asyncio>=1.3",
    "pytest-timeout>=2.4",
    "hypothesis>=6.140",
    "packaging>=25",
    "psycopg2-binary>=2.9.10",
    "httpx>=0.28",
)


class Dependencies(NamedTuple):
    """How the distributions of others are chosen."""

    name: str
    resolution: str = "highest"
    constraints: tuple[str, ...] = ()


SETS: Final = {
    each.name: each
    for each in (
        Dependencies("newest"),
        Dependencies("sqlalchemy-2.0", constraints=("sqlalchemy<2.1",)),
        Dependencies("oldest", "lowest-direct"),
    )
}


class InstallError(book.ReleaseError):
    """An environment cannot be made; the message is the installer's."""


def uv() -> Path:
    """Return the installer.

    Raises: ReleaseError where there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = beside if beside.exists() else shutil.which("uv")
    if found is None:
        raise book.ReleaseError("uv is not installed; `pip install uv` brings it")
    return Path(found)


def clean() -> dict[str, str]:
    """Return the environment variables of this process without those that would mislead another."""
    return {key: value for key, value in os.environ.items() if key not in MISLEADING}


def interpreter(version: str) -> Path | None:
    """Return a Python of *version* (``3.12``) on this machine: on the path, or one of pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    ours = Path(sys.executable) if version == f"{sys.version_info.major}.{sys.version_info.minor}" else None
    candidates = [ours, *sorted(root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)]
    on_path = shutil.which(f"python{version}")
    return next((path for path in [*candidates, on_path and Path(on_path)] if path and _runs(path, version)), None)


def _runs(path: Path, version: str) -> bool:
    """Whether this is that Python; a shim of pyenv may be there for one that is not."""
    asked = [str(path), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    ran = subprocess.run(asked, capture_output=True, text=True, check=False)
    return ran.returncode == 0 and ran.stdout.strip() == version


def requirements(wheels: Iterable[Path]) -> list[str]:
    """Return what *wheels*, with `EXTRAS`, need of others, as requirements."""
    found: set[str] = set()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            said = email.message_from_bytes(archive.read(name))
        for spelled in said.get_all("Requires-Dist", []):
            need = Requirement(spelled)
            if canonicalize_name(need.name) in book.PACKAGES:
                continue
            if need.marker is not None:
                wanted = ("", *EXTRAS.get(said["Name"], ()))
                if not any(need.marker.evaluate({"extra": extra}) for extra in wanted):
                    continue
                need.marker = None
            found.add(str(need))
    return sorted(found)


class Environment:
    """A virtual environment of one Python and one set of dependencies, used for one combination after another."""

    def __init__(self, home: Path, python: Path, dependencies: Dependencies) -> None:
        self.home, self._base, self._dependencies = home, python, dependencies
        self.python = home / "bin" / "python"

    def prepare(self, wheels: Sequence[Path], tools: Sequence[str] = TOOLS) -> None:
        """Hold exactly *wheels*, what they need, and *tools*.

        Raises: InstallError where something cannot be installed, or does not fit together.
        """
        if not self.python.exists():
            _run([uv(), "venv", "-q", "--python", self._base, self.home])
        wanted, held = self._lock(wheels, tools).read_text(), self.home / "held.txt"
        if not held.exists() or held.read_text() != wanted:  # of others; combinations seldom differ in that
            held.unlink(missing_ok=True)
            asked = self.home / "wanted.txt"
            asked.write_text(wanted)
            _run([uv(), "pip", "sync", "-q", "--compile-bytecode", "--python", self.python, asked])
            asked.rename(held)
        _run([uv(), "pip", "uninstall", "-q", "--python", self.python, *book.PACKAGES])
        self.install(wheels)
        (site,) = self.home.glob("lib/python*/site-packages")
        ours = [site / name for name in book.PACKAGES.values() if (site / name).exists()]
        _run([self.python, "-m", "compileall", "-q", *ours])  # uv would look at all that is there
        _run([uv(), "pip", "check", "-q", "--python", self.python])

    def install(self, wheels: Sequence[Path], *, dry: bool = False) -> None:
        """Ask the resolver for exactly the versions of *wheels*, which it finds in a folder and nowhere else.

        Raises: InstallError where they do not fit together.
        """
        folder = self.home / "ours"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        asked: list[str] = []
        again: list[str] = []
        for wheel in wheels:
            shutil.copy2(wheel, folder / wheel.name)
            name, version = wheel.name.split("-")[:2]
            package = name.replace("_", "-")
            extras = f"[{','.join(EXTRAS[package])}]" if package in EXTRAS else ""
            asked.append(f"{package}{extras}=={version}")
            again += ["--reinstall-package", package, "--refresh-package", package]
        how: list[str | Path] = ["--dry-run"] if dry else []
        found: list[str | Path] = ["--no-index", "--find-links", folder]
        _run([uv(), "pip", "install", "-q", *how, *again, *found, "--python", self.python, *asked])

    def _lock(self, wheels: Sequence[Path], tools: Sequence[str]) -> Path:
        """Return the file of everything that is installed besides *wheels*; made once for the same wishes."""
        wishes = "\n".join([*requirements(wheels), *tools]) + "\n"
        limits = "\n".join(self._dependencies.constraints) + "\n"
        key = hashlib.sha256(f"{wishes}{limits}{self._dependencies.resolution}{self._base}".encode()).hexdigest()[:12]
        folder = self.home.parent / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock, asked, bound = folder / f"{self.home.name}-{key}.txt", folder / f"{key}.in", folder / f"{key}.limits"
        if not lock.exists():
            asked.write_text(wishes)
            bound.write_text(limits)
            how: list[str | Path] = ["--resolution", self._dependencies.resolution, "--constraints", bound]
            how += ["--no-annotate", "--no-header"]  # the same versions make the same file
            _run([uv(), "pip", "compile", "-q", *how, "--python", self._base, "--output-file", lock, asked])
        return lock


def _run(words: Sequence[str | Path]) -> None:
    ran = subprocess.run([str(word) for word in words], env=clean(), capture_output=True, text=True, check=False)
    if ran.returncode:
        shown = " ".join(str(word) for word in words[1:3])
        raise InstallError(f"uv {shown}: {ran.stderr.strip()[-1500:]}")
