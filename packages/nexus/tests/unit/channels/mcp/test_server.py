"""The channel costs nothing until the first agent comes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kailash.errors import ConfigurationError
from nexus.channels.mcp.server import McpChannel


def run(code: str, program: Path) -> str:
    prelude = f"import runpy, sys; make = runpy.run_path({str(program)!r})['notes_channel'];"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", prelude + code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_making_a_channel_imports_no_sdk(program: Path) -> None:
    loaded = run("make(); print([name for name in ('mcp', 'mcp_types', 'pydantic') if name in sys.modules])", program)

    assert loaded == "[]"


def test_refusing_a_stranger_imports_no_sdk(program: Path) -> None:
    code = """
import asyncio
async def main():
    sent = []
    async def send(message): sent.append(message)
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": [(b"host", b"evil.example")]}
    await make().asgi(scope, None, send)
    print(sent[0]["status"], "mcp" in sys.modules)
asyncio.run(main())
"""
    assert run("exec(" + repr(code) + ")", program) == "421 False"


def test_without_the_sdk_the_refusal_says_what_to_install(program: Path) -> None:
    code = """
sys.modules["mcp"] = sys.modules["mcp_types"] = None
from kailash.errors import NotAvailableError
try:
    make().server()
except NotAvailableError as error:
    print(error.code, error.hint)
"""
    assert run("exec(" + repr(code) + ")", program) == "not_available pip install 'mcp>=2.3,<3'"


async def test_warming_twice_at_once_opens_one_door(channel: McpChannel) -> None:
    await asyncio.gather(channel.warm(), channel.warm())
    opening = channel._opening
    await channel.warm()

    assert channel._opening is opening
    await channel.aclose()


def test_a_loop_that_died_does_not_poison_the_next(channel: McpChannel) -> None:
    asyncio.run(channel.warm())
    asyncio.run(channel.warm())
    asyncio.run(channel.aclose())


async def test_closing_what_was_never_opened_does_nothing(channel: McpChannel) -> None:
    await channel.aclose()
    await channel.aclose()


def test_a_prefix_that_no_client_would_accept_is_refused_at_once(make_channel: Callable[..., McpChannel]) -> None:
    with pytest.raises(ConfigurationError, match="mcp_tool_prefix"):
        make_channel(dataflow_config={"mcp_tool_prefix": "my.db"})
