"""Measure the previous release and what is here in turn, and fail where something has become slower.

``python tools/bench_compare.py`` (this is ``tox -e bench-compare``) compares with the last release of each
distribution; ``--base COMMIT`` with any commit, as CI does for a pull request.

Rule 1: both sides are wheels in environments that hold the same of everything else.
Rule 2: both live at once and take turns, round by round, the first to go changing each time.
Rule 3: worse means that the whole interval of the ratio lies above 1.25, and still does after as many rounds as there
may be; a case that is not yet clear is measured more.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import confidence
import environments
import postgres_server
import promises as book
import wheels

PROGRAM: Final = "integration-tests/benchmarks/turns.py"
ROUND: Final = 0.05  # seconds that a round of a case should take, about
ROUNDS: Final = 12
MOST: Final = 48  # rounds of a case whose verdict stays open
STARTS: Final = {
    "import of the three": "import kailash, dataflow, nexus",
    "start to the first row, 10 models": """
import asyncio
from dataflow import DataFlow
from nexus import Nexus
db = DataFlow("sqlite://")
for number in range(10):
    db.model(type(f"Thing{number}", (), {"__annotations__": {"name": str, "size": float}}))
app = Nexus(dataflow_integration=db, enable_durability=False)
async def ask():
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        assert message.get("status", 200) == 200, message
    await app.asgi({"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/api/thing7s", "raw_path": b"/api/thing7s", "query_string": b"",
        "headers": [(b"host", b"x")], "client": ("127.0.0.1", 1), "server": ("x", 80)}, receive, send)
asyncio.run(ask())
""",
}


class Verdict(NamedTuple):
    """One case of a comparison. Times in seconds a call, medians."""

    case: str
    before: float
    now: float
    ratio: confidence.Interval
    rounds: int


class Side:
    """A process that runs the cases of one release."""

    def __init__(self, python: Path, program: Path, folder: Path, url: str) -> None:
        folder.mkdir(parents=True)
        self.python = python
        self._process = subprocess.Popen(
            [str(python), str(program), str(folder), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environments.clean(),
            cwd=folder,
            text=True,
        )
        self.cases: list[str] = self._answer()["cases"]

    def round(self, case: str, calls: int) -> float:
        """Return the seconds of one call, over *calls* of them."""
        if case in STARTS:
            began = time.perf_counter()
            subprocess.run([str(self.python), "-c", STARTS[case]], env=environments.clean(), check=True)
            return time.perf_counter() - began
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"case": case, "calls": calls}) + "\n")
        self._process.stdin.flush()
        seconds: float = self._answer()["seconds"]
        return seconds

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise book.ReleaseError(f"the side of {self.python} ended with code {self._process.wait(20)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


Measure = Callable[[str, int], float]


class Pairs(NamedTuple):
    """What was measured of one case: as many calls a round, and the seconds of one, pair by pair."""

    calls: int
    before: list[float]
    now: list[float]

    @property
    def settled(self) -> bool:
        """Whether more rounds would change nothing: worse is said only after `MOST` of them."""
        found = confidence.interval(self.before, self.now)
        return len(self.now) >= MOST or not (found.open or found.verdict == "WORSE")


def compare(cases: Sequence[str], before: Measure, now: Measure) -> list[Verdict]:
    """Return the verdict on each case, measured until it is clear or `MOST` rounds are done.

    A round is one pair of each case that is not settled, so that a busy moment of the machine meets all cases a little
    and none altogether.
    """
    pairs = {case: Pairs(_calls(case, before, now), [], []) for case in cases}
    pending = list(cases)
    for number in range(MOST):
        if number and number % ROUNDS == 0:
            pending = [case for case in pending if not pairs[case].settled]
        for case in pending:
            calls, old, new = pairs[case]
            sides = [(before, old), (now, new)]
            for measure, times in sides if number % 2 else reversed(sides):
                times.append(measure(case, calls))
    return [_verdict(case, old, new) for case, (_, old, new) in pairs.items()]


def _calls(case: str, before: Measure, now: Measure) -> int:
    """Return how many calls make a round, once both sides are warm."""
    cold = max(before(case, 1), now(case, 1))
    calls = max(1, math.ceil(ROUND / max(cold, 1e-7)))
    warm = min(before(case, calls), now(case, calls))
    return max(1, math.ceil(ROUND / max(warm, 1e-7)))


def _verdict(case: str, old: list[float], new: list[float]) -> Verdict:
    return Verdict(case, median(old), median(new), confidence.interval(old, new), len(old))


def table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as text, in microseconds a call."""
    head = f"{'case':<40} {'before us':>11} {'now us':>11} {'ratio':>6}  {'95% between':<14} rounds"
    lines = [head, "-" * len(head)]
    for each in verdicts:
        low, middle, high = each.ratio
        lines.append(
            f"{each.case:<40} {each.before * 1e6:>11.1f} {each.now * 1e6:>11.1f} {middle:>5.2f}x  "
            f"{low:>5.2f} and {high:<5.2f} {each.rounds:>5} {each.ratio.verdict}"
        )
    return "\n".join(lines)


# --- The two sides ---


def base_of(root: Path) -> dict[str, str]:
    """Return the commits to compare with: the last releases, or those before where nothing has changed since.

    Raises: ReleaseError where there is none.
    """
    promises = book.read(root)
    lines = {package: promises.of(package) for package in book.PACKAGES}
    if not all(lines.values()):
        absent = ", ".join(package for package, releases in lines.items() if not releases)
        raise book.ReleaseError(f"there is no release of {absent} to compare with; name a commit: --base HEAD~1")
    changed = any(book.changed_since(root, releases[0]) for releases in lines.values())
    if not changed and not all(len(releases) > 1 for releases in lines.values()):
        raise book.ReleaseError("what is here is the only release; name a commit to compare with: --base HEAD~1")
    return {package: releases[0 if changed else 1].commit for package, releases in lines.items()}


def built(root: Path, commits: dict[str, str], folder: Path) -> list[Path]:
    """Return the wheels of the distributions at these commits."""
    found: list[Path] = []
    for package, commit in commits.items():
        if not book.has_commit(root, commit):
            raise book.ReleaseError(f"this clone lacks the commit {commit}; `git fetch --unshallow`")
        home = folder / f"{package}-{book.git(root, 'rev-parse', commit)[:12]}"
        if not list(home.glob("*.whl")):
            wheels.build(wheels.export(root, commit, package, home), home, wheels.epoch_of(root, commit), ["wheel"])
        found += home.glob("*.whl")
    return found


@contextmanager
def sides(root: Path, work: Path, commits: dict[str, str]) -> Iterator[tuple[Side, Side]]:
    """Give both sides, each with databases of its own on the same server."""
    tree = work / "tree"
    for old in tree.glob("*.whl"):
        old.unlink()
    epoch = wheels.epoch_of(root)
    here = [wheels.build(root / "packages" / package, tree, epoch, ["wheel"])[0] for package in book.PACKAGES]
    folder = work / f"run-{time.time_ns()}"
    with ExitStack() as held:
        server = held.enter_context(postgres_server.server())
        made = []
        for name, ours in (("before", built(root, commits, work)), ("now", here)):
            environment = environments.Environment(work / name, Path(sys.executable), environments.SETS["newest"])
            environment.prepare(ours, ())
            url = held.enter_context(postgres_server.database(server.url, f"bench_{name}_{time.time_ns()}"))
            side = Side(environment.python, root / PROGRAM, folder / name, url)
            held.callback(side.close)
            made.append(side)
        yield made[0], made[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and print the table; return 1 where something is worse."""
    parser = argparse.ArgumentParser(prog="tools/bench_compare.py", description="Compare with the previous release.")
    parser.add_argument("--base", metavar="COMMIT", help="compare with this commit instead of the last releases")
    parser.add_argument("--only", metavar="WORD", default="", help="the cases with this word in their name")
    parser.add_argument("--json", type=Path, help="write the verdicts there too")
    parser.add_argument("--root", type=Path, default=book.PROJECT)
    given = parser.parse_args(arguments)
    root = given.root.resolve()
    try:
        commits = dict.fromkeys(book.PACKAGES, given.base) if given.base else base_of(root)
        with sides(root, root / ".workshop" / "bench", commits) as (before, now):
            common = [case for case in [*STARTS, *before.cases] if case in now.cases or case in STARTS]
            chosen = [case for case in common if given.only in case]
            verdicts = compare(chosen, before.round, now.round)
    except book.ReleaseError as refused:
        print(f"bench-compare: {refused}", file=sys.stderr)
        return 1
    print(table(verdicts))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps([{**each._asdict(), "ratio": each.ratio._asdict()} for each in verdicts]))
    worse = [each.case for each in verdicts if each.ratio.verdict == "WORSE"]
    print(f"{len(verdicts)} cases, " + (f"worse: {', '.join(worse)}" if worse else "none is worse"))
    return 1 if worse or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
