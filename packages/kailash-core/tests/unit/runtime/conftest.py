"""Every test of a runtime runs in both: blocking, and under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kailash import AsyncLocalRuntime, LocalRuntime


@pytest.fixture(params=["blocking", "asyncio"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def execute(face: str) -> Callable[..., Any]:
    """Runs a workflow: ``execute(workflow, inputs, parameters=, context=, run_id=, **runtime options)``."""

    def run(workflow: Any, inputs: Any = None, **given: Any) -> Any:
        asked = {name: given.pop(name) for name in ("parameters", "context", "run_id") if name in given}
        if face == "blocking":
            return LocalRuntime(**given).execute(workflow, inputs, **asked)
        return asyncio.run(AsyncLocalRuntime(**given).execute(workflow, inputs, **asked))

    return run
