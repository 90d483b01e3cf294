"""What the scenarios are given."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from scenarios.asking import visiting

from dataflow import DataFlow
from nexus import Nexus


@pytest.fixture
async def client(db: DataFlow) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who asks the application of *db* over HTTP."""
    async with visiting(Nexus(dataflow_integration=db)) as client:
        yield client
