from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import mcp_types
import pytest
from mcp import Client

from kailash.capability import Catalogue
from nexus.channels.mcp import guide, tools
from nexus.channels.mcp.server import McpChannel
from nexus.testing import notes_provider

THREE = ["database_describe_tool", "database_execute_tool", "database_search_tools"]


def problem(result: mcp_types.CallToolResult) -> dict[str, Any]:
    assert result.is_error
    first = result.content[0]
    assert isinstance(first, mcp_types.TextContent)
    return json.loads(first.text)  # type: ignore[no-any-return]


@pytest.fixture
def crowded(make_channel: Callable[..., McpChannel]) -> McpChannel:
    """A channel of two models whose budget is one model's tools."""
    return make_channel(notes_provider(), notes_provider("orders"), mcp_tool_budget=11)


async def test_up_to_the_budget_every_tool_is_listed(make_channel: Callable[..., McpChannel]) -> None:
    async with Client(make_channel(mcp_tool_budget=11).server()) as client:
        assert len((await client.list_tools()).tools) == 11


async def test_over_the_budget_three_tools_are_listed(crowded: McpChannel, era: str) -> None:
    async with Client(crowded.server(), mode=era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == THREE


async def test_search_describe_and_execute_lead_to_a_call(crowded: McpChannel, era: str) -> None:
    async with Client(crowded.server(), mode=era) as client:
        await client.list_tools()  # the client checks every result against the schema that was listed
        found = await client.call_tool("database_search_tools", {"query": "create an order", "limit": 3})
        assert found.structured_content is not None
        name = found.structured_content["tools"][0]["name"]
        told = await client.call_tool("database_describe_tool", {"name": name})
        assert told.structured_content is not None
        made = await client.call_tool("database_execute_tool", {"name": name, "arguments": {"title": "first"}})

    assert name == "database_orders_create"
    assert told.structured_content["inputSchema"]["required"] == ["title"]
    assert made.structured_content is not None
    assert made.structured_content["title"] == "first"


async def test_execute_is_refused_by_the_same_gates(crowded: McpChannel) -> None:
    async with Client(crowded.server()) as client:
        call = {"name": "database_notes_list", "arguments": {"limit": 1001}}
        through = await client.call_tool("database_execute_tool", call)
        directly = await client.call_tool("database_notes_list", {"limit": 1001})

    assert problem(through)["code"] == problem(directly)["code"] == "invalid_page"


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("database_describe_tool", {"name": "database_note_list"}, "no_such_capability"),
        ("database_execute_tool", {"name": "nothing", "arguments": {}}, "no_such_capability"),
        ("database_execute_tool", {"name": "database_execute_tool"}, "no_such_capability"),
        ("database_execute_tool", {"nme": "x"}, "invalid_input"),
        ("database_search_tools", {"limit": 51}, "invalid_input"),
        ("database_search_tools", {"query": 5}, "invalid_input"),
    ],
)
async def test_what_a_model_can_put_right_is_a_result(
    crowded: McpChannel, tool: str, arguments: dict[str, Any], code: str
) -> None:
    async with Client(crowded.server()) as client:
        result = await client.call_tool(tool, arguments)

    assert problem(result)["code"] == code


def test_a_search_without_words_finds_everything_in_order() -> None:
    everything = tools.from_catalogue(Catalogue([notes_provider()]), "database", 1000)

    found = guide.search(everything, "", 3)

    assert found["total"] == 11
    assert [tool["name"] for tool in found["tools"]] == [tool.name for tool in everything.tools[:3]]


def test_a_search_finds_a_plural_by_its_singular_and_nothing_by_nonsense() -> None:
    everything = tools.from_catalogue(Catalogue([notes_provider()]), "database", 1000)

    assert guide.search(everything, "note", 50)["total"] == 11
    assert guide.search(everything, "zebra", 50) == {"tools": [], "total": 0}
