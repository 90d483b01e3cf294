"""The contract's fixtures. These tests run on every promised combination of releases, on what is installed.

So they speak in words that the oldest of them knows. What came later says so:
``@pytest.mark.since("dataflow", "0.12.0")`` leaves a test out where an older release is installed.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from packaging.version import Version

from dataflow import DataFlow
from nexus import Nexus


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "since(distribution, version): what an older release cannot do")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    late = [item for item in items if any(not _old_enough(mark) for mark in item.iter_markers("since"))]
    if late:
        config.hook.pytest_deselected(items=late)
        items[:] = [item for item in items if item not in late]


def _old_enough(mark: pytest.Mark) -> bool:
    distribution, version = mark.args
    return Version(importlib.metadata.version(distribution)) >= Version(version)


@pytest.fixture(autouse=True)
def runs_are_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what durable runs write out of the repository."""
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))


@pytest.fixture
async def db(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DataFlow]:
    """The shop's database, empty."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///:memory:")  # importing the shop opens nothing of anybody's
    from contract import shop  # it reads the environment

    made = shop.declare(DataFlow(database_url))
    yield made
    await made.close_async()


@pytest.fixture
async def app(db: DataFlow) -> AsyncIterator[Nexus]:
    """The shop's application."""
    from contract import shop  # as above

    made = shop.serve(db)
    yield made
    made.close()
