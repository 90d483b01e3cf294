"""The results of a run of the benchmarks, as JSON: in .workshop/bench/, and in results/ for each release."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

import promises as book
from benchmarks import harness

ROOT: Final = Path(__file__).resolve().parents[2]
KEPT: Final = Path(__file__).parent / "results"
LATEST: Final = ROOT / ".workshop" / "bench" / "latest.json"


def write(lines: Sequence[harness.Line], *, store: bool) -> None:
    """Write *lines* as the latest run; with *store*, as the one of the versions that are installed."""
    versions = {package: importlib.metadata.version(package) for package in book.PACKAGES}
    content = msgspec.json.format(msgspec.json.encode(described(lines, versions)), indent=1) + b"\n"
    places = [LATEST, *([KEPT / f"{'_'.join(versions.values())}.json"] if store else [])]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def described(lines: Sequence[harness.Line], versions: dict[str, str]) -> dict[str, Any]:
    """Return what a reader needs to make sense of *lines*: of which code, when and where. Times in seconds a call."""
    return {
        "versions": versions,
        "commit": book.git(ROOT, "rev-parse", "HEAD"),
        "changed": bool(book.git(ROOT, "status", "--porcelain", "packages")),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "sqlite": sqlite3.sqlite_version,
        },
        "lines": [_told(line) for line in lines],
    }


def _told(line: harness.Line) -> dict[str, Any]:
    values = msgspec.structs.asdict(line)
    return {**{name: value for name, value in values.items() if name != "least"}, "ratio": line.ratio}
