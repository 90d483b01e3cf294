"""Streamable HTTP through a real server, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from mcp import Client

from nexus.channels.mcp.server import McpChannel

PARSE_ERROR = -32700
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
MODERN = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
}


class Wire:
    """A client that sends what no well-made client would: *era* in headers and message, the rest as given."""

    def __init__(self, http: httpx.AsyncClient, address: str, era: str) -> None:
        self.http = http
        self.url = f"{address}/mcp"
        self.era = era
        self.headers = dict(HEADERS)

    async def open(self) -> None:
        if self.era == "legacy":
            answer = await self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE})
            self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
            await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        else:
            self.headers |= {"mcp-protocol-version": self.era, "mcp-method": "tools/call"}

    async def send(self, message: Any, **headers: str) -> httpx.Response:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.http.post(self.url, content=body, headers={**self.headers, **headers})

    async def call(self, tool: str, arguments: str) -> dict[str, Any]:
        """Call *tool* with *arguments*, JSON text that may be wrong; returns the JSON-RPC response."""
        params = {"name": tool, **(MODERN if self.era != "legacy" else {})}
        head = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call"})[:-1]
        body = f'{head}, "params": {json.dumps(params)[:-1]}, "arguments": {arguments}}}}}'
        extra = {} if self.era == "legacy" else {"mcp-name": tool}
        return _response(await self.send(body.encode(), **extra))


def _response(answer: httpx.Response) -> dict[str, Any]:
    if answer.headers["content-type"].startswith("text/event-stream"):
        lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        return json.loads(lines[-1].removeprefix("data: "))  # type: ignore[no-any-return]
    return answer.json()  # type: ignore[no-any-return]


@pytest.fixture
async def http() -> Any:
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
async def wire(http: httpx.AsyncClient, address: str, era: str) -> Wire:
    made = Wire(http, address, era)
    await made.open()
    return made


async def test_the_sdks_client_lists_and_calls(address: str, era: str) -> None:
    async with Client(f"{address}/mcp", mode=era) as client:
        listed = await client.list_tools()
        made = await client.call_tool("database_notes_create", {"title": "milk"})
        refused = await client.call_tool("database_notes_read", {"id": 9})

    assert len(listed.tools) == 11
    assert made.structured_content is not None
    assert made.structured_content["id"] == 1
    assert refused.is_error


async def test_both_eras_are_served_at_once(address: str) -> None:
    async with Client(f"{address}/mcp", mode="legacy") as old, Client(f"{address}/mcp", mode="2026-07-28") as new:
        await old.call_tool("database_notes_create", {"title": "milk"})
        counted = await new.call_tool("database_notes_count")

    assert counted.structured_content == {"count": 1}


async def test_thirty_two_calls_at_once_are_all_answered(address: str, era: str) -> None:
    async with Client(f"{address}/mcp", mode=era) as client:
        titles = [f"note {n}" for n in range(32)]
        made = await asyncio.gather(*(client.call_tool("database_notes_create", {"title": title}) for title in titles))

    assert [each.structured_content and each.structured_content["title"] for each in made] == titles


async def test_a_raw_call_is_answered(wire: Wire) -> None:
    answer = await wire.call("database_notes_create", '{"title": "milk"}')

    assert answer["result"]["structuredContent"]["title"] == "milk"


@pytest.mark.parametrize("arguments", ['{"stars": NaN}', '{"stars": Infinity}', '{"stars": 1', "{'a': 1}", "\x00"])
async def test_what_is_not_json_is_told_so(wire: Wire, arguments: str) -> None:
    answer = await wire.call("database_notes_create", arguments)

    assert answer["error"]["code"] == PARSE_ERROR
    assert answer["error"]["data"]["code"] == "malformed_json"


async def test_a_filter_two_hundred_levels_deep_gets_the_answer_of_every_channel(wire: Wire) -> None:
    deep = '{"$not":' * 200 + '{"stars": 1}' + "}" * 200

    answer = await wire.call("database_notes_count", f'{{"filter": {deep}}}')

    assert json.loads(answer["result"]["content"][0]["text"])["code"] == "invalid_filter"


async def test_a_message_over_the_limit_is_refused_before_it_is_read(
    make_channel: Callable[..., McpChannel], serve: Any, http: httpx.AsyncClient
) -> None:
    async with serve(make_channel(max_body=1000)) as address:
        answer = await http.post(f"{address}/mcp", content=b"x" * 1001, headers=HEADERS)

    assert answer.status_code == 413
    assert answer.json()["error"]["data"]["code"] == "too_large"


async def test_a_message_over_the_limit_is_refused_when_no_length_was_declared(
    make_channel: Callable[..., McpChannel], serve: Any, http: httpx.AsyncClient
) -> None:
    async def parts() -> Any:
        for _ in range(20):
            yield b"x" * 100

    async with serve(make_channel(max_body=1000)) as address:
        answer = await http.post(f"{address}/mcp", content=parts(), headers=HEADERS)

    assert answer.status_code == 413


async def test_a_request_under_a_foreign_name_is_misdirected(address: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{address}/mcp", json={}, headers={**HEADERS, "host": "evil.example"})

    assert answer.status_code == 421
    assert "allowed_hosts" in answer.json()["error"]["message"]


async def test_a_foreign_page_is_denied(address: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{address}/mcp", json={}, headers={**HEADERS, "origin": "https://evil.example"})

    assert answer.status_code == 403


async def test_a_channel_that_was_closed_can_be_opened_again(channel: McpChannel, serve: Any) -> None:
    for _ in range(2):
        async with serve(channel) as address, Client(f"{address}/mcp") as client:
            assert len((await client.list_tools()).tools) == 11


@pytest.mark.parametrize("end", ["release", "close"])
async def test_a_stream_that_waits_for_news_ends_when_the_server_stops(
    channel: McpChannel, address: str, http: httpx.AsyncClient, end: str
) -> None:
    """A client of the handshake era keeps a stream open for as long as it lives."""
    wire = Wire(http, address, "legacy")
    await wire.open()
    async with http.stream("GET", wire.url, headers={**wire.headers, "accept": "text/event-stream"}) as stream:
        assert stream.status_code == 200
        if end == "release":
            channel.release()
        else:
            await channel.aclose()
        async for _ in stream.aiter_bytes():
            pass


async def test_calls_are_answered_after_the_streams_were_released(wire: Wire, channel: McpChannel) -> None:
    channel.release()
    answer = await wire.call("database_notes_count", "{}")

    assert answer["result"]["structuredContent"] == {"count": 0}
