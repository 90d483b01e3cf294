"""An application with notes, and a client of it in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from nexus import Nexus
from nexus.testing import NotesProvider, notes_provider


@pytest.fixture
def notes() -> NotesProvider:
    return notes_provider()


@pytest.fixture
def app(notes: NotesProvider) -> Nexus:
    made = Nexus(title="Notes", max_body=10_000)
    made.add(notes)
    return made


@pytest.fixture
async def client(app: Nexus) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made
