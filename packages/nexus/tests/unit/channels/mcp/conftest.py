from __future__ import annotations

import asyncio
import importlib.util
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from nexus.channels.mcp.server import McpChannel

PROGRAM = Path(__file__).with_name("notes_channel.py")
ERAS = ["2026-07-28", "legacy"]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("notes_channel", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def program() -> Path:
    """The program that serves notes over standard input and output."""
    return PROGRAM


@pytest.fixture
def make_channel() -> Callable[..., McpChannel]:
    return _load().notes_channel  # type: ignore[no-any-return]


@pytest.fixture
def channel(make_channel: Callable[..., McpChannel]) -> McpChannel:
    return make_channel()


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """Each era of the protocol in turn."""
    return str(request.param)


@asynccontextmanager
async def served(channel: McpChannel) -> AsyncIterator[str]:
    """Serve *channel* by uvicorn on a free port; gives the address, without a path."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        channel.asgi, interface="asgi3", lifespan="off", ws="none", log_level="warning", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    listener.listen()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await channel.aclose()
        server.should_exit = True
        await serving
        listener.close()


@pytest.fixture
async def address(channel: McpChannel) -> AsyncIterator[str]:
    async with served(channel) as address:
        yield address


@pytest.fixture
def serve() -> Any:
    return served


@pytest.fixture
def python() -> str:
    return sys.executable
