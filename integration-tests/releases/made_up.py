"""A small repository with our three distributions in it, in a folder of its own: releases are cut in it for tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import promises as book

ROOT = Path(__file__).parents[2]
FIRST = {"kailash-core": "1.0.0", "dataflow": "0.11.0", "nexus": "1.1.1"}
INDEX = """\
# Changes

| kailash-core | dataflow | nexus | |
|---|---|---|---|
| 1.0.0 | 0.11.0 | 1.1.1 | in the making |
"""
# What a commit needs to know, whatever this machine's user has set.
WHO = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}
QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


class Repository:
    """A clone to work in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch", "main")
        for package, version in FIRST.items():
            self._package(package, version)
        book.write(root, book.Promises((), (book.Trio(*FIRST.values()),)))
        (root / "CHANGELOG.md").write_text(INDEX)
        self.commit("Begin")

    def _package(self, package: str, version: str) -> None:
        home = self.root / "packages" / package
        source = home / "src" / book.PACKAGES[package]
        source.mkdir(parents=True)
        (home / "news").mkdir()
        (self.root / "integration-tests").mkdir(exist_ok=True)
        real = (ROOT / "packages" / package / "pyproject.toml").read_text()
        (home / "pyproject.toml").write_text(_one_dependency(real, package))
        for name in ("LICENSE", "README.md"):
            (home / name).write_text(f"{name} of {package}\n")
        (home / "CHANGELOG.md").write_text(f"# Changelog of {package}\n\n<!-- towncrier release notes start -->\n")
        (home / "news" / "README.md").write_text("One file for each change.\n")
        (source / "__init__.py").write_text('"""Nothing."""\n')
        (source / "py.typed").touch()
        (source / "_version.py").write_text(f'"""The version."""\n\n__version__ = "{version}"\n')
        self.fragment(package, "first.added.md", f"{package} begins.")

    def fragment(self, package: str, name: str, text: str) -> None:
        """Write a fragment of news."""
        (self.root / "packages" / package / "news" / name).write_text(f"{text}\n")

    def change(self, package: str, name: str = "more") -> None:
        """Commit a change of *package* with its fragment."""
        (self.root / "packages" / package / "src" / book.PACKAGES[package] / f"{name}.py").write_text(
            f'"""{name}."""\n'
        )
        self.fragment(package, f"{name}.added.md", f"{package} has {name}.")
        self.commit(f"Add {name}")

    def commit(self, subject: str) -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        """Return what git says."""
        ran = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    def state(self) -> tuple[str, str, str]:
        """Everything that a refused release must leave alone."""
        return self.git("rev-parse", "HEAD"), self.git("status", "--porcelain"), self.git("tag", "--list")


def _one_dependency(project: str, package: str) -> str:
    """Keep of the dependencies the one that releases are about."""
    head, _, rest = project.partition("dependencies = [\n")
    tail = rest.partition("\n]\n")[2]
    before, _, after = tail.partition("[tool.hatch.version]")
    kept = "" if package == "kailash-core" else '    "kailash-core>=1.0,<2",\n'
    assert not before.strip() or package != "kailash-core"
    return f"{head}dependencies = [\n{kept}]\n\n[tool.hatch.version]{after}"
