"""Start-up in the two configurations of seeds/003, beside its claims; and the memory of what has started.

The claims are seconds: less than 2 for the fast configuration; for the full one 8, and 2 for each model, and 1 for
Nexus (its own breakdown; its table says 10 to 45). Ours is from exec to the first answer 200 with every table made.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks import harness, programs

Record = Callable[[harness.Line], None]
SEEDS = "benchmarks.seeds_app"
PATH = "/api/thing0s?limit=1"
MODELS = [1, 10, 100]
FAST = 2.0  # seconds, seeds/003


def claim(models: int) -> float:
    """Seconds that seeds/003 gives for the full configuration."""
    return 8.0 + 2.0 * models + 1.0


def started(url: str, configuration: str, models: int, monkeypatch: pytest.MonkeyPatch) -> harness.Sample:
    monkeypatch.setenv("SEEDS_CONFIGURATION", configuration)
    seconds = programs.cold_start(SEEDS, url, models, PATH)
    return harness.Sample(seconds, seconds)


def taken() -> str:
    """How many options of the full configuration this version takes."""
    ran = subprocess.run(
        [sys.executable, "-m", SEEDS, "--taken"],
        cwd=programs.HERE.parent,
        env=programs.environment("sqlite://", 1),
        capture_output=True,
        text=True,
        check=True,
    )
    return " of ".join(ran.stdout.split())


@pytest.mark.parametrize("models", MODELS)
def test_both_configurations(
    models: int,
    new_database: Callable[[], str],
    tmp_path: Path,
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))
    empty = [new_database() for _ in range(3)]
    first = [started(url, "full", models, monkeypatch) for url in empty]
    again = [started(empty[0], "full", models, monkeypatch) for _ in range(3)]
    options = f"full ({taken()} options)"  # of the configuration that was the last to start
    fast = [started(empty[0], "fast", models, monkeypatch) for _ in range(3)]
    full = harness.Sample(claim(models), claim(models))

    for what, samples, limit in (
        (f"{options}, empty database", first, full),
        (f"{options}, tables there", again, full),
        ("fast, tables there", fast, harness.Sample(FAST, FAST)),
    ):
        pairs = [(limit, each) for each in samples]
        record(harness._line(f"start, {models} models, {what}", pairs, 1.0, 0.5, False))


@pytest.mark.parametrize("models", MODELS)
def test_memory(models: int, new_database: Callable[[], str], record: Record) -> None:
    """Bytes that a server holds once it has answered, over FastAPI, pydantic and asyncpg by hand."""
    url = new_database()

    def held(module: str) -> int:
        path = "/api/thing0s?limit=1" if models > 1 else "/api/products?limit=1"
        with programs.serving(module, url, models) as (process, port):
            while not programs._answers(port, path):
                time.sleep(0.002)
            return int(psutil.Process(process.pid).memory_info().rss)

    ours, limit = held(programs.OURS), held(programs.LIMIT)
    record(harness.Line(f"memory of a server, {models} models (bytes)", ours, limit, ours, limit, 1.2, 1.0))
