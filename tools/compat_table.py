"""The results of the compatibility matrix, as text, and as tables in README.md and the documentation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import environments
import matrix
import promises as book

PAGE: Final = "docs/reference/compatibility.md"
TOPICS: Final = {  # file of the contract -> what it verifies
    "start": "starts in time, and discovery never blocks it",
    "operations": "all eleven operations, by node and by direct call",
    "workflows": "workflows, in both runtimes",
    "channels": "REST, the command line, agents (MCP)",
    "handover": "old code on the new schema, and new code on the old",
    "public_names": "the names that programs import",
    "versions": "the promise itself: versions, ranges, the table",
}


class Outcome(NamedTuple):
    """What a cell came to."""

    cell: matrix.Cell
    counts: dict[str, tuple[int, int]]  # file of the contract -> (passed, failed)
    seconds: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything that ran passed, and something ran."""
        return bool(self.counts) and not self.note and not any(failed for _, failed in self.counts.values())


class Result(NamedTuple):
    """Everything that a run found out."""

    outcomes: Sequence[Outcome]
    refused: Sequence[tuple[matrix.Row, bool]]
    absent: Sequence[str]  # Pythons that this machine lacks


def announcement(field: matrix.Field, pythons: Sequence[str], absent: Sequence[str], cells: int) -> str:
    """Say what takes part, and what does not."""
    count = len(field.released)
    parts = [f"{count} releases and what is here ({matrix.spelled(field.here)})"]
    if count <= len(book.PACKAGES):
        parts.append("no distribution has two releases yet, so only what has changed since can be combined with them")
    if absent:
        parts.append(f"not on this machine: Python {', '.join(absent)}")
    return f"compat: {'; '.join(parts)}\ncompat: {cells} cells, Python {', '.join(pythons)}"


def text(result: Result) -> str:
    """Return one line for each combination, one column for each environment."""
    rows = [["/".join(book.PACKAGES), *_columns(result)], *_cells(result, "-")]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows)


def _columns(result: Result) -> list[str]:
    places = sorted({(each.cell.python, _rank(each.cell.dependencies)) for each in result.outcomes})
    return [f"{python} {list(environments.SETS)[rank]}" for python, rank in places]


def _rank(dependencies: str) -> int:
    return list(environments.SETS).index(dependencies)


def _cells(result: Result, nothing: str) -> list[list[str]]:
    found: dict[str, dict[str, str]] = {}
    for outcome in result.outcomes:
        row = found.setdefault(matrix.spelled(outcome.cell.row), {})
        row[f"{outcome.cell.python} {outcome.cell.dependencies}"] = _mark(outcome)
    columns = _columns(result)
    lines = [[name, *(row.get(column, nothing) for column in columns)] for name, row in found.items()]
    return lines + [
        [matrix.spelled(row), *(["refused" if held else "NOT REFUSED"] + [nothing] * (len(columns) - 1))]
        for row, held in result.refused
    ]


def _mark(outcome: Outcome) -> str:
    passed = sum(each for each, _ in outcome.counts.values())
    return f"{passed} passed" if outcome.ok else "FAILED"


# --- Pages ---


def write(root: Path, result: Result, field: matrix.Field) -> None:
    """Write the tables between the markers of README.md and the page of compatibility."""
    _replace(root / PAGE, "results", _results(result))
    _replace(root / PAGE, "contract", _contract(result))
    _replace(root / "README.md", "compatibility", _short(result))


def _replace(page: Path, name: str, body: str) -> None:
    """Put *body* between the markers of *name*.

    Raises: ReleaseError where the page has none.
    """
    marker = re.compile(rf"(<!-- compat: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    changed, found = marker.subn(lambda old: f"{old[1]}\n{body}\n{old[2]}", page.read_text())
    if not found:
        raise book.ReleaseError(f"{page.name} has no place for {name}")
    page.write_text(changed)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *body])


def _results(result: Result) -> str:
    return _table([["kailash-core / dataflow / nexus", *_columns(result)], *_cells(result, "")])


def _contract(result: Result) -> str:
    totals: dict[str, list[int]] = {}
    for outcome in result.outcomes:
        for topic, (passed, failed) in outcome.counts.items():
            total = totals.setdefault(topic, [0, 0, 0])
            total[:] = [total[0] + passed, total[1] + failed, total[2] + 1]
    rows = [[TOPICS.get(name, name), str(cells), str(good), str(bad)] for name, (good, bad, cells) in totals.items()]
    return _table([["verified", "cells", "passed", "failed"], *rows])


def _short(result: Result) -> str:
    pythons = sorted({each.cell.python for each in result.outcomes}, key=lambda each: int(each.partition(".")[2]))
    rows: dict[str, dict[str, bool]] = {}
    for outcome in result.outcomes:
        row = rows.setdefault(matrix.spelled(outcome.cell.row), {})
        row[outcome.cell.python] = row.get(outcome.cell.python, True) and outcome.ok
    lines = [[*name.split("/"), *("yes" if row.get(each) else "no" for each in pythons)] for name, row in rows.items()]
    return _table([[*book.PACKAGES, *(f"Python {each}" for each in pythons)], *lines])
