"""Run the stages that prove the repository, each on one line, and sum them up.

``python tools/workshop.py`` runs all of them (this is ``make test``), ``python tools/workshop.py types layers`` some.
The static stages and the tests run side by side. The output of each stage is in ``.workshop/logs/``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import postgres_server

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".workshop"
WHEELS = WORK / "wheels"
BIN = Path(sys.executable).parent
PACKAGES = {"kailash-core": "kailash", "dataflow": "dataflow", "nexus": "nexus"}
# Distribution -> dependency groups of its tests, and the extras that they exercise.
TEST_GROUPS = {"kailash-core": ["test"], "dataflow": ["test"], "nexus": ["test", "client"]}
EXTRAS = {"dataflow": "[upgrade,console]", "nexus": "[mcp,console]"}
WORKERS = ["-n", "2", "--dist", "worksteal"]
NO_TESTS = 5  # pytest's exit code where nothing was collected
# Other code, another environment; and sources that every process would have to compile anew.
MISLEADING = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"}
TAIL = 60  # lines of a failed stage's output that are shown at once


class Result(NamedTuple):
    """What one command came to."""

    ok: bool
    passed: int
    failed: int
    skipped: int
    note: str


class Stage(NamedTuple):
    """One line of the report."""

    name: str
    lane: str  # stages of one lane run one after the other, the lanes side by side
    run: Callable[[Log], Result]


class Log:
    """The output of one stage: a file, and the way to run commands into it."""

    def __init__(self, name: str) -> None:
        folder = WORK / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name.replace(' ', '-')}.log"
        self.path.write_text("")

    def run(self, command: Sequence[str | Path], **environment: str) -> int:
        """Run *command* in the repository's root; return its exit code."""
        inherited = {key: value for key, value in os.environ.items() if key not in MISLEADING}
        with self.path.open("a") as file:
            file.write(f"$ {' '.join(str(part) for part in command)}\n")
            file.flush()
            return subprocess.run(
                [str(part) for part in command],
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**inherited, "NO_COLOR": "1", "COLUMNS": "160", **environment},
                check=False,
            ).returncode

    def tail(self, lines: int) -> str:
        """Return the end of the output."""
        return "\n".join(self.path.read_text(errors="replace").splitlines()[-lines:])


# --- What a stage runs ---


def command(*words: str | Path) -> Callable[[Log], Result]:
    """Make a stage of one command, which passes or fails as a whole."""

    def run(log: Log) -> Result:
        ok = log.run(words) == 0
        return Result(ok, int(ok), int(not ok), 0, "")

    return run


def types(log: Log) -> Result:
    """Check the types of every distribution, and then of what uses them."""
    code = log.run([BIN / "mypy", "--strict", *_typed()])
    found = re.search(r"(Found .* error|Success: .*)", log.tail(3))
    return Result(code == 0, int(code == 0), int(code != 0), 0, found.group(1) if found else "")


def _typed() -> list[str]:
    tests = [path for kind in ("unit", "postgres", "typing") for path in ROOT.glob(f"packages/*/tests/{kind}")]
    places = [*ROOT.glob("packages/*/src/*"), *tests, *(ROOT / name for name in ("tools", "integration-tests", "docs"))]
    places += [ROOT / "conftest.py", ROOT / "examples"]
    return [str(place.relative_to(ROOT)) for place in places if place.is_file() or any(place.rglob("*.py"))]


def tests(python: Path, *words: str, **environment: str) -> Callable[[Log], Result]:
    """Make a stage of one pytest run."""

    def run(log: Log) -> Result:
        code = log.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words], **environment)
        if code == NO_TESTS:
            return Result(ok=True, passed=0, failed=0, skipped=0, note="no tests yet")
        counted = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", _last_count(log))}
        failed = counted.get("failed", 0) + counted.get("error", 0) + counted.get("errors", 0)
        if code and not failed:
            failed = 1  # the run itself broke
        return Result(not code, counted.get("passed", 0), failed, counted.get("skipped", 0), _last_count(log))

    return run


def _last_count(log: Log) -> str:
    lines = [line for line in log.tail(8).splitlines() if re.search(r"\d+ (passed|failed|error|skipped)", line)]
    return re.sub(r"^=+ | in [\d.]+s.*| =+$", "", lines[-1]) if lines else ""


def from_wheel(distribution: str, *words: str) -> Callable[[Log], Result]:
    """Make a stage that tests *distribution* as a user gets it: its wheel, what it declares, and test tools."""

    def run(log: Log) -> Result:
        paths = [word for word in words if (ROOT / word).is_dir() and any((ROOT / word).rglob("test_*.py"))]
        if not paths:
            return Result(ok=True, passed=0, failed=0, skipped=0, note="no tests yet")
        python = _wheel_environment(distribution, log) if wheels(log).ok else None
        if python is None:
            return Result(ok=False, passed=0, failed=1, skipped=0, note="the wheel cannot be installed")
        return tests(python, *paths, *WORKERS)(log)

    return run


# --- Wheels, and the environments made of them ---


def wheels(log: Log) -> Result:
    """Build the wheel of every distribution whose sources changed."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    built = 0
    for distribution in PACKAGES:
        stamp, digest = WHEELS / f"{distribution}.digest", _digest(distribution)
        if _wheel(distribution) and stamp.exists() and stamp.read_text() == digest:
            continue
        for old in WHEELS.glob(f"{distribution.replace('-', '_')}-*.whl"):
            old.unlink()
        hatchling = "import os, sys, hatchling.cli as cli; os.chdir(sys.argv.pop(1)); sys.exit(cli.hatchling())"
        package = ROOT / "packages" / distribution
        if log.run([sys.executable, "-c", hatchling, package, "build", "-t", "wheel", "-d", WHEELS]):
            return Result(ok=False, passed=built, failed=1, skipped=0, note=distribution)
        stamp.write_text(digest)
        built += 1
    return Result(ok=True, passed=1, failed=0, skipped=0, note=f"{built} built")


def _wheel(distribution: str) -> Path | None:
    return next(iter(WHEELS.glob(f"{distribution.replace('-', '_')}-*.whl")), None)


def _digest(distribution: str) -> str:
    package = ROOT / "packages" / distribution
    contents = hashlib.sha256()
    for path in sorted([package / "pyproject.toml", package / "README.md", *(package / "src").rglob("*")]):
        if path.is_file() and "__pycache__" not in path.parts:
            contents.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return contents.hexdigest()


def _wheel_environment(distribution: str, log: Log) -> Path | None:
    """Return the interpreter of an environment that holds the wheel; None where it cannot be made."""
    home = WORK / "venvs" / distribution
    python = home / "bin" / "python"
    needed = ["kailash-core", distribution] if distribution != "kailash-core" else [distribution]
    digest = "".join([_digest(each) for each in needed]) + (ROOT / "pyproject.toml").read_text() + sys.version
    stamp = home / "digest"
    if python.exists() and stamp.exists() and stamp.read_text() == digest:
        return python
    shutil.rmtree(home, ignore_errors=True)
    groups = [word for group in TEST_GROUPS[distribution] for word in ("--group", group)]
    given = [f"{each}{EXTRAS.get(each, '')} @ {path.as_uri()}" for each in needed if (path := _wheel(each))]
    if not _make_environment(home, [*groups, *given], log):
        return None
    where = f"import {PACKAGES[distribution]} as it; assert it.__file__.startswith({str(home)!r}), it.__file__"
    if log.run([python, "-c", where]):
        return None
    stamp.write_text(digest)
    return python


def _make_environment(home: Path, words: Sequence[str], log: Log) -> bool:
    """Make a virtual environment and install *words* in it: with uv, or with pip where uv cannot reach an index."""
    python = home / "bin" / "python"
    uv = BIN / "uv"
    if uv.exists() and not log.run([uv, "venv", "-q", "--python", sys.executable, home]):
        if not log.run([uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, *words]):
            return True
        shutil.rmtree(home, ignore_errors=True)
    if log.run([sys.executable, "-m", "venv", home]):
        return False
    quiet = ["-q", "--disable-pip-version-check"]
    log.run([python, "-m", "pip", "install", *quiet, "--upgrade", "pip>=25.1"])  # the first with --group
    return log.run([python, "-m", "pip", "install", *quiet, *words]) == 0


# --- The stages, in the order of the report ---

HERE = Path(sys.executable)
ARCHITECTURE = "integration-tests/architecture"
UNIT = {each: f"packages/{each}/tests/unit" for each in PACKAGES}
STAGES = (
    Stage("lint", "static", command(BIN / "ruff", "check", "--quiet", "--output-format=concise", ".")),
    Stage("format", "static", command(BIN / "ruff", "format", "--check", "--quiet", ".")),
    Stage("layers", "static", command(BIN / "lint-imports", "--config", "pyproject.toml")),
    Stage("types", "static", types),
    Stage("wheels", "tests", wheels),
    Stage("unit kailash-core", "tests", from_wheel("kailash-core", UNIT["kailash-core"])),
    Stage("unit dataflow", "tests", from_wheel("dataflow", UNIT["dataflow"])),
    Stage("unit nexus", "tests", from_wheel("nexus", UNIT["nexus"])),
    Stage("postgres dataflow", "tests", from_wheel("dataflow", "packages/dataflow/tests/postgres")),
    Stage("architecture", "tests", tests(HERE, ARCHITECTURE, KAILASH_TEST_WHEELS=str(WHEELS))),
    Stage(
        "integration", "tests", tests(HERE, "integration-tests", "--ignore=integration-tests/architecture", *WORKERS)
    ),
    Stage("docs", "tests", tests(HERE, "docs")),
    Stage("compat", "tests", command(HERE, "tools/compat.py", "--diagonal")),
)


class Report:
    """Writes one line for each stage as it ends; on a terminal, also which ones are running."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[str] = []
        self.results: dict[str, Result] = {}

    def begin(self, stage: Stage) -> None:
        """Note that *stage* runs."""
        with self._lock:
            self._running.append(stage.name)
            self._show_running()

    def end(self, stage: Stage, result: Result, log: Log, seconds: float) -> None:
        """Write the line of *stage*, and the end of its output if it failed."""
        with self._lock:
            self._running.remove(stage.name)
            self.results[stage.name] = result
            self._erase()
            print(f"{'ok  ' if result.ok else 'FAIL'} {stage.name:<20} {seconds:6.1f} s  {result.note}", flush=True)
            if not result.ok:
                print("\n".join(f"     {line}" for line in log.tail(TAIL).splitlines()))
                print(f"     the whole output: {log.path.relative_to(ROOT)}", flush=True)
            self._show_running()

    def _show_running(self) -> None:
        if sys.stdout.isatty() and self._running:
            print(f"\r\x1b[K...  {', '.join(self._running)}", end="", flush=True)

    def _erase(self) -> None:
        if sys.stdout.isatty():
            print("\r\x1b[K", end="")


def perform(stages: Sequence[Stage], report: Report) -> None:
    """Run *stages* one after the other. A stage that breaks itself has failed."""
    for stage in stages:
        report.begin(stage)
        log, start = Log(stage.name), time.monotonic()
        try:
            result = stage.run(log)
        except OSError as fault:  # a tool is not there, the disk is full: the other stages still have something to say
            result = Result(ok=False, passed=0, failed=1, skipped=0, note=f"{type(fault).__name__}: {fault}")
        report.end(stage, result, log, time.monotonic() - start)


def main(names: Sequence[str]) -> int:
    """Run the stages whose names contain one of *names* (all, if there are none); return the exit code."""
    chosen = [stage for stage in STAGES if not names or any(name in stage.name for name in names)]
    if not chosen:
        print(f"no such stage; there are: {', '.join(stage.name for stage in STAGES)}", file=sys.stderr)
        return 2
    start, report = time.monotonic(), Report()
    with contextlib.ExitStack() as held, ThreadPoolExecutor() as lanes:
        if any(stage.lane == "tests" for stage in chosen):
            try:
                server = held.enter_context(postgres_server.server())
            except postgres_server.NoServerError as reason:
                print(f"postgres: {reason}", flush=True)  # the tests that need one fail, each by name
            else:
                os.environ[postgres_server.URL] = server.url
                print(f"postgres: {server.origin}", flush=True)
        futures: list[Future[None]] = [
            lanes.submit(perform, [stage for stage in chosen if stage.lane == lane], report)
            for lane in dict.fromkeys(stage.lane for stage in chosen)
        ]
        for future in futures:
            future.result()
    return _sum_up(report.results, time.monotonic() - start)


def _sum_up(results: dict[str, Result], seconds: float) -> int:
    broken = [name for name, result in results.items() if not result.ok]
    skipped = sum(result.skipped for result in results.values())
    print(
        f"\n{len(results)} stages in {seconds:.0f} s" + (f", broken: {', '.join(broken)}" if broken else ", all well")
    )
    if skipped:
        print(f"{skipped} tests were skipped; the logs in .workshop/logs say which, and why")
    passed, failed = (sum(getattr(result, each) for result in results.values()) for each in ("passed", "failed"))
    print(f"{passed} passed, {failed} failed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
