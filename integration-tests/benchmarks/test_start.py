"""Start-up: from exec to the first answer with a row, and what an import costs over the bare interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from benchmarks import harness, programs

Record = Callable[[harness.Line], None]
PACKAGES = Path(__file__).parents[2] / "packages"


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Bytecode, as an installed package has it."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(PACKAGES), str(programs.HERE)], check=True)


@pytest.mark.parametrize(("models", "reach", "aim"), [(10, 0.9, 0.7), (100, 0.7, 0.5)])
def test_cold_start(models: int, reach: float, aim: float, postgres_url: str, record: Record) -> None:
    path = "/api/thing0s?limit=1"
    programs.cold_start(programs.OURS, postgres_url, models, path)  # makes the tables, for both
    programs.cold_start(programs.LIMIT, postgres_url, models, path)
    samples = [
        (
            programs.cold_start(programs.LIMIT, postgres_url, models, path),
            programs.cold_start(programs.OURS, postgres_url, models, path),
        )
        for _ in range(7)
    ]
    pairs = [(harness.Sample(limit, limit), harness.Sample(ours, ours)) for limit, ours in samples]
    record(harness._line(f"cold start to the first row, {models} models", pairs, reach, aim, False))


@pytest.mark.parametrize(("module", "budget"), [("kailash", 0.040), ("dataflow", 0.060), ("nexus", 0.060)])
def test_import(module: str, budget: float, record: Record) -> None:
    """The limit is the budget, in seconds over the bare interpreter."""
    programs.imported(module)
    pairs = [(programs.imported(""), programs.imported(module)) for _ in range(15)]
    cost = max(median([ours - bare for bare, ours in pairs]), 1e-6)
    record(harness.Line(f"import {module}, over the bare interpreter", cost, budget, cost, budget, 1.0, None))
