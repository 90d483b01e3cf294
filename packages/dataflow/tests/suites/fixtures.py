"""What the suites are given, by ../conftest.py. What is opened by it is closed after the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from suites.faces import Face, Facing, Open

__all__ = ["blocking", "executor", "faced", "opened"]


@pytest.fixture(params=["blocking", "asyncio"])
def blocking(request: pytest.FixtureRequest) -> bool:
    """Whether a database is spoken to by its blocking face; a test runs once for each."""
    return bool(request.param == "blocking")


@pytest.fixture
def faced(blocking: bool) -> Iterator[Facing]:
    """What makes a face of a database."""
    with ExitStack() as made:

        def face(db: DataFlow) -> Face:
            face = Face(db, blocking=blocking)
            made.callback(face.close)
            return face

        yield face


@pytest.fixture
def opened(url: str) -> Iterator[Open]:
    """What opens the database at *url* with those models and options, as another program does."""
    with ExitStack() as made:

        def open(*models: type, **options: Any) -> DataFlow:
            db = made.enter_context(DataFlow(url, **options))
            for model in models:
                db.model(model)
            return db

        yield open


@pytest.fixture
def executor(url: str) -> Iterator[SyncExecutor]:
    """The blocking executor of the database at *url*."""
    made = SyncExecutor(DatabaseURL.parse(url), PoolOptions())
    yield made
    made.close()
