"""A real process, spoken to over its standard streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@pytest.fixture
def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # as users have it
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path)}


async def test_the_sdks_client_lists_and_calls(program: Path, environment: dict[str, str], era: str) -> None:
    server = StdioServerParameters(command=sys.executable, args=[str(program)], env=environment)
    async with Client(server, mode=era) as client:
        listed = await client.list_tools()
        made = await client.call_tool("database_notes_create", {"title": "milk"})
        refused = await client.call_tool("database_notes_read", {"id": 9})

    assert len(listed.tools) == 11
    assert made.structured_content is not None
    assert made.structured_content["id"] == 1
    assert refused.is_error


@pytest.fixture
def conversation(program: Path, environment: dict[str, str]) -> Any:
    process = subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    def say(line: Any) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())  # type: ignore[no-any-return]

    yield say
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_every_line_is_answered_and_the_conversation_goes_on(conversation: Any) -> None:
    opened = conversation(INITIALIZE)
    broken = conversation(b'{"jsonrpc": "2.0", "id": 1, ')
    not_a_number = conversation(b'{"jsonrpc": "2.0", "id": 2, "method": "ping", "params": {"x": NaN}}')
    no_message = conversation(b'{"id": 3}')
    too_long = conversation(b'"' + b"x" * 200_000 + b'"')
    alive = conversation({"jsonrpc": "2.0", "id": 4, "method": "ping"})

    assert opened["result"]["protocolVersion"] == "2025-11-25"
    assert broken["error"]["data"]["code"] == "malformed_json"
    assert not_a_number["error"]["data"]["code"] == "malformed_json"
    assert no_message["error"]["data"]["code"] == "invalid_input"
    assert too_long["error"]["data"]["code"] == "too_large"
    assert alive == {"jsonrpc": "2.0", "id": 4, "result": {}}


def test_a_filter_two_hundred_levels_deep_gets_the_answer_of_every_channel(conversation: Any) -> None:
    deep: Any = {"stars": 1}
    for _ in range(200):
        deep = {"$not": deep}
    call = {"name": "database_notes_count", "arguments": {"filter": deep}}

    conversation(INITIALIZE)
    answer = conversation({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})

    assert json.loads(answer["result"]["content"][0]["text"])["code"] == "invalid_filter"


def test_calls_under_way_are_answered_when_the_input_ends(program: Path, environment: dict[str, str]) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "database_notes_count"}}
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in (INITIALIZE, call))

    done = subprocess.run([sys.executable, str(program)], env=environment, input=lines, capture_output=True, check=True)

    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [0, 1]
    assert json.loads(done.stdout.splitlines()[1])["result"]["structuredContent"] == {"count": 0}


def test_what_is_printed_never_reaches_the_wire(program: Path, environment: dict[str, str]) -> None:
    code = (
        "import runpy, sys;"
        f"make = runpy.run_path({str(program)!r})['notes_channel'];"
        "from nexus.testing import NotesProvider;"
        "NotesProvider._count = lambda self, given: print('stray', sys.stdin.read()) or {'count': 0};"
        "make().stdio()"
    )
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "database_notes_count"}}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"".join(json.dumps(each).encode() + b"\n" for each in (INITIALIZE, call)))
    process.stdin.flush()
    answers = [json.loads(process.stdout.readline()) for _ in range(2)]
    rest, noise = process.communicate(timeout=30)

    assert answers[1]["result"]["structuredContent"] == {"count": 0}
    assert rest == b""
    assert b"stray" in noise
