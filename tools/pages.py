"""Every Python example in the documentation runs: one namespace a page, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser


def enter(namespace: dict[str, Any]) -> None:
    """Begin a page: an empty working folder, and no database but the one that it names."""
    namespace["_before"] = (Path.cwd(), os.environ.pop("DATABASE_URL", None))
    namespace["_folder"] = tempfile.mkdtemp(prefix="kailash-docs-")
    os.chdir(namespace["_folder"])


def leave(namespace: dict[str, Any]) -> None:
    """End a page: what it left open is closed, so that the page itself need not say so."""
    for value in list(namespace.values()):
        if type(value).__module__ in {"dataflow.database", "nexus.app"}:
            value.close()
    before, url = namespace["_before"]
    os.chdir(before)
    shutil.rmtree(namespace["_folder"], ignore_errors=True)  # by its name: wherever an example has gone since
    if url is not None:
        os.environ["DATABASE_URL"] = url


OLDER = ("README", "start", "fast-and-full")  # pages with programs that warn: docs/test_migrate.py runs them

PAGES = Sybil(
    path=str(Path(__file__).parents[1]),
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    excludes=[f"*/how-to/migrate/{name}.md" for name in OLDER],
    setup=enter,
    teardown=leave,
)
