"""Try every promised combination of releases: ``python tools/compat.py`` (this is ``tox -e compat``).

Old wheels are built from their commits. The contract (integration-tests/contract) runs on each promised combination,
and on what is here beside the last releases, for each Python and each choice of dependencies, on SQLite and PostgreSQL.
Combinations that are not promised must be refused by the resolver.

Rule 1: what is tried are wheels in environments that hold nothing else of ours.
Rule 2: a release that cannot be built from its commit, or a wheel that is not what its commit says, ends the run
before anything is tried.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import xml.etree.ElementTree as Xml
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import compat_table
import environments
import matrix
import postgres_server
import promises as book

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
JOBS: Final = (os.cpu_count() or 1) + 1  # a third of a cell is waiting: for modules that block, for servers that start
CONTRACT: Final = "integration-tests/contract"


# --- Trying ---


class Trial:
    """Runs cells: those of one environment one after the other, the environments side by side."""

    def __init__(self, root: Path, work: Path, postgres: str) -> None:
        self._root, self._work, self._postgres = root, work, postgres

    def run(self, chosen: Sequence[matrix.Cell], jobs: int) -> list[compat_table.Outcome]:
        """Try *chosen*; print a line as each ends."""
        groups: dict[tuple[str, str], list[matrix.Cell]] = {}
        for cell in chosen:
            groups.setdefault((cell.python, cell.dependencies), []).append(cell)
        with ThreadPoolExecutor(jobs) as lanes:
            return [outcome for group in lanes.map(self._group, groups.values()) for outcome in group]

    def _group(self, group: Iterable[matrix.Cell]) -> list[compat_table.Outcome]:
        outcomes = []
        for cell in group:
            start = time.monotonic()
            try:
                outcome = self._try(cell, start)
            except (book.ReleaseError, subprocess.TimeoutExpired) as fault:
                outcome = compat_table.Outcome(cell, {}, time.monotonic() - start, str(fault))
            outcomes.append(outcome)
            passed = sum(each for each, _ in outcome.counts.values())
            word = "ok  " if outcome.ok else "FAIL"
            print(f"{word} {cell.name:<50} {outcome.seconds:6.1f} s  {passed} passed {outcome.note}", flush=True)
        return outcomes

    def _environment(self, python: str, dependencies: str, name: str = "") -> environments.Environment:
        found = environments.interpreter(python)
        assert found is not None, python  # only those that are here are asked for
        home = self._work / "environments" / f"py{python}-{name or dependencies}"
        return environments.Environment(home, found, environments.SETS[dependencies])

    def _try(self, cell: matrix.Cell, start: float) -> compat_table.Outcome:
        environment = self._environment(cell.python, cell.dependencies)
        environment.prepare([each.wheel for each in cell.row])
        told = {**environments.clean(), postgres_server.URL: self._postgres, "NO_COLOR": "1"}
        words = []
        if cell.other is not None:
            other = self._environment(cell.python, cell.dependencies, f"beside-{cell.dependencies}")
            other.prepare([each.wheel for each in cell.other], ())
            told["KAILASH_CONTRACT_OTHER"] = str(other.python)
        else:
            words = ["--deselect", f"{CONTRACT}/test_handover.py"]
        report = self._work / "reports" / f"{cell.name.replace('/', '_').replace(' ', '-')}.xml"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        log = report.with_suffix(".log")
        with log.open("w") as output:
            run = [environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", CONTRACT, *words]
            code = subprocess.run(
                [*map(str, run), f"--junitxml={report}"],
                cwd=self._root,
                env=told,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=600,
                check=False,
            ).returncode
        counts = _counted(report) if report.exists() else {}
        note = "" if code == 0 else f"see {log}"
        return compat_table.Outcome(cell, counts, time.monotonic() - start, note)

    def refuse(self, rows: Sequence[matrix.Row], suits: matrix.Row, python: str) -> list[tuple[matrix.Row, bool]]:
        """Ask the resolver for what is not promised, where *suits* stands; return whether it refused for the core."""
        environment = self._environment(python, "newest")
        answers = []
        if rows:
            environment.prepare([each.wheel for each in suits])
        for row in rows:
            reason = ""
            try:
                environment.install([each.wheel for each in row], dry=True)
            except environments.InstallError as refused:
                reason = str(refused)
            held = "unsatisfiable" in reason and book.CORE in reason
            answers.append((row, held))
            print(f"{'ok  ' if held else 'FAIL'} {matrix.spelled(row):<24} is refused by its metadata", flush=True)
        return answers


def _counted(report: Path) -> dict[str, tuple[int, int]]:
    """Return (passed, failed) of each file of the contract, from a JUnit report."""
    counts: dict[str, tuple[int, int]] = {}
    for case in Xml.parse(report).iter("testcase"):
        topic = case.get("classname", "").rpartition(".test_")[2]
        failed = int(any(child.tag in {"failure", "error"} for child in case))
        before = counts.get(topic, (0, 0))
        counts[topic] = (before[0] + 1 - failed, before[1] + failed)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Try what was asked for; return the exit code."""
    given, start = _parsed(arguments), time.monotonic()
    root = given.root.resolve()
    work = root / ".workshop" / "compat"
    try:
        if given.only and matrix.TREE not in given.only.split("/"):
            book.demand_promise(book.read(root), given.only)
        pythons = _pythons(given.python)
        field = matrix.Field(root, work)
        chosen = _chosen(given, field, pythons)
    except book.ReleaseError as refused:
        print(f"compat: {refused}", file=sys.stderr)
        return 1
    if given.list:
        print(json.dumps(sorted({spelling for each in chosen if (spelling := matrix.spelled(each.row))})))
        return 0
    absent = [each for each in given.python or PYTHONS if each not in pythons]
    print(compat_table.announcement(field, pythons, absent, len(chosen)), flush=True)
    if not chosen:
        return 0
    with postgres_server.server() as server:
        trial = Trial(root, work, server.url)
        outcomes = trial.run(chosen, given.jobs)
        refused_rows = trial.refuse(field.refused(), chosen[-1].row, pythons[0])
    seconds, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    result = compat_table.Result(outcomes, refused_rows, absent)
    print(f"\n{compat_table.text(result)}")
    if given.write:
        compat_table.write(root, result, field)
    good = all(each.ok for each in outcomes) and all(held for _, held in refused_rows)
    verdict = "all well" if good else "something is not as promised"
    print(f"{len(outcomes)} cells in {seconds:.0f} s ({used.ru_utime + used.ru_stime:.0f} s of processors), {verdict}")
    return 0 if good else 1


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/compat.py", description="Try every promised combination of releases.")
    parser.add_argument("--diagonal", action="store_true", help="each combination in one environment alone")
    parser.add_argument("--only", metavar="ROW", help="one combination, as --list has it: 1.0.0/0.11.0/1.1.1")
    parser.add_argument(
        "--python", action="append", choices=PYTHONS, help="these alone; all that are here, if not said"
    )
    parser.add_argument("--dependencies", action="append", choices=list(environments.SETS), help="these alone")
    parser.add_argument("--list", action="store_true", help="print the combinations as JSON, and try nothing")
    parser.add_argument("--write", action="store_true", help="write the results into README.md and the documentation")
    parser.add_argument("--jobs", type=int, default=JOBS, help="environments that are tried at once")
    parser.add_argument("--root", type=Path, default=book.PROJECT)
    return parser.parse_args(arguments)


def _pythons(wanted: Sequence[str] | None) -> list[str]:
    here = [each for each in wanted or PYTHONS if environments.interpreter(each)]
    if not here or (wanted and len(here) < len(wanted)):
        absent = ", ".join(each for each in wanted or PYTHONS if each not in here)
        raise book.ReleaseError(f"Python {absent} is not on this machine")
    return here


def _chosen(given: argparse.Namespace, field: matrix.Field, pythons: Sequence[str]) -> list[matrix.Cell]:
    rows = field.rows()
    if given.diagonal:
        return matrix.diagonal(rows, field.here, pythons)
    wanted = given.dependencies or list(environments.SETS)
    chosen = [each for each in matrix.cells(rows, pythons) if each.dependencies in wanted]
    if given.only:
        spellings = [[matrix.spelled(each.row), "/".join(built.version for built in each.row)] for each in chosen]
        chosen = [each for each, names in zip(chosen, spellings, strict=True) if given.only in names]
        if not chosen:
            raise book.ReleaseError(f"{given.only} is none of what is tried here; --list names them")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
