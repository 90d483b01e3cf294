"""The SDK's own client, in this process, in both eras of the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import mcp_types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from nexus.channels.mcp import calls
from nexus.channels.mcp.server import McpChannel
from nexus.testing import NotesProvider, notes_provider


def text(result: mcp_types.CallToolResult, position: int = 0) -> str:
    block = result.content[position]
    assert isinstance(block, mcp_types.TextContent)
    return block.text


def problem(result: mcp_types.CallToolResult) -> dict[str, Any]:
    assert result.is_error
    assert result.structured_content is None
    return json.loads(text(result))  # type: ignore[no-any-return]


async def test_a_tool_is_listed_with_schemas_and_annotations(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    delete = listed["database_notes_delete"]

    assert len(listed) == 11
    assert delete.title == "database.notes.delete"
    assert delete.output_schema is not None
    assert delete.output_schema["type"] == "object"
    assert delete.annotations == mcp_types.ToolAnnotations(
        title="database.notes.delete",
        read_only_hint=False,
        destructive_hint=True,
        idempotent_hint=False,
        open_world_hint=False,
    )


async def test_a_result_is_structured_and_its_text_is_the_same_json(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        made = await client.call_tool("database_notes_create", {"title": "milk", "stars": 3})

    assert not made.is_error
    assert made.structured_content is not None
    assert json.loads(text(made)) == made.structured_content
    assert made.structured_content["title"] == "milk"
    assert made.structured_content["created_at"] == "2026-01-01T00:00:00Z"


async def test_the_dotted_alias_calls_the_same_tool(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        await client.call_tool("database.notes.create", {"title": "milk"})
        counted = await client.call_tool("database_notes_count")

    assert counted.structured_content == {"count": 1}


async def test_a_refusal_tells_the_code_the_field_and_what_to_do(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        refused = problem(await client.call_tool("database_notes_create", {"titel": "milk"}))

    assert refused["code"] == "invalid_input"
    assert refused["status"] == 422
    assert {error["field"]: error["code"] for error in refused["errors"]} == {
        "titel": "unknown_field",
        "title": "missing",
    }
    assert "did you mean 'title'" in refused["detail"]


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("read", {"id": 7}, "record_not_found"),
        ("list", {"filter": {"stars": {"$gtx": 1}}}, "invalid_filter"),
        ("list", {"limit": 1001}, "invalid_page"),
        ("bulk_create", {"data": [{"title": str(n)} for n in range(1001)]}, "too_large"),
        ("bulk_delete", {}, "unconfirmed"),
    ],
)
async def test_what_a_model_can_put_right_is_a_result(
    channel: McpChannel, era: str, tool: str, arguments: dict[str, Any], code: str
) -> None:
    async with Client(channel.server(), mode=era) as client:
        refused = problem(await client.call_tool(f"database_notes_{tool}", arguments))

    assert refused["code"] == code
    assert refused["request_id"]


async def test_a_fault_inside_tells_nothing_but_a_request_id(make_channel: Callable[..., McpChannel], era: str) -> None:
    class BrokenProvider(NotesProvider):
        def _count(self, given: Any) -> Any:
            raise RuntimeError("password=hunter2")

    async with Client(make_channel(BrokenProvider()).server(), mode=era) as client:
        refused = problem(await client.call_tool("database_notes_count"))

    assert refused["code"] == "fault"
    assert "hunter2" not in json.dumps(refused)


async def test_an_unknown_tool_is_an_error_of_the_protocol_with_the_closest_name(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        with pytest.raises(MCPError, match="did you mean 'database_notes_list'") as refused:
            await client.call_tool("database_note_list")

    assert refused.value.code == mcp_types.INVALID_PARAMS
    assert refused.value.data["code"] == "no_such_capability"


async def test_a_list_returns_twenty_and_says_how_to_go_on(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        await client.call_tool("database_notes_bulk_create", {"data": [{"title": str(n)} for n in range(25)]})
        first = await client.call_tool("database_notes_list")
        assert first.structured_content is not None
        cursor = first.structured_content["next_cursor"]
        second = await client.call_tool("database_notes_list", {"cursor": cursor})

    assert second.structured_content is not None
    assert [first.structured_content["count"], second.structured_content["count"]] == [20, 5]
    assert text(first, 1) == f"truncated after 20 records; next cursor: {cursor}"
    assert len(second.content) == 1


async def test_a_result_that_no_model_can_read_is_refused_with_what_to_do(channel: McpChannel) -> None:
    async with Client(channel.server()) as client:
        await client.call_tool("database_notes_create", {"title": "x" * calls.LARGEST_RESULT})
        refused = problem(await client.call_tool("database_notes_list"))
        counted = await client.call_tool("database_notes_list", {"fields": ["id"]})

    assert refused["code"] == "too_large"
    assert "'fields'" in refused["hint"]
    assert not counted.is_error


async def test_tools_follow_the_catalogue_after_the_start(make_channel: Callable[..., McpChannel], era: str) -> None:
    class GrowingProvider(NotesProvider):
        def capabilities(self) -> Any:
            return list(super().capabilities())[: self.revision]

    provider = GrowingProvider()
    async with Client(make_channel(provider).server(), mode=era) as client:
        before = [tool.name for tool in (await client.list_tools()).tools]
        provider.revision = 2
        after = [tool.name for tool in (await client.list_tools()).tools]

    assert before == ["database_notes_create"]
    assert after == ["database_notes_create", "database_notes_read"]


async def test_what_agents_may_not_do_is_neither_listed_nor_called(make_channel: Callable[..., McpChannel]) -> None:
    config = {"expose_to_agents": {"read_operations": True, "write_operations": False}}
    async with Client(make_channel(dataflow_config=config).server()) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        with pytest.raises(MCPError, match="no tool is named"):
            await client.call_tool("database_notes_delete", {"id": 1})

    assert listed == ["database_notes_count", "database_notes_list", "database_notes_read"]


async def test_a_long_list_of_tools_comes_in_pages(make_channel: Callable[..., McpChannel], era: str) -> None:
    providers = [notes_provider(f"notes{n}") for n in range(10)]
    async with Client(make_channel(*providers, mcp_tool_budget=500).server(), mode=era) as client:
        first = await client.list_tools()
        second = await client.list_tools(cursor=first.next_cursor)
    seen = [tool.name for page in (first, second) for tool in page.tools]

    assert [len(first.tools), len(second.tools)] == [100, 10]
    assert seen == sorted(seen)
    assert len(set(seen)) == 110
    assert second.next_cursor is None


async def test_a_cursor_that_the_server_never_gave_is_an_error_of_the_protocol(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        with pytest.raises(MCPError, match="cursor"):
            await client.list_tools(cursor="not one of ours!")


async def test_documents_tell_the_models_and_their_fields(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        listed = [resource.uri for resource in (await client.list_resources()).resources]
        templates = (await client.list_resource_templates()).resource_templates
        models = await _read(client, "schema://models")
        notes = await _read(client, "schema://models/notes")

    assert listed == ["schema://models", "schema://models/notes"]
    assert [template.uri_template for template in templates] == ["schema://models/{name}"]
    assert models["models"][0]["name"] == "notes"
    assert "database_notes_list" in models["models"][0]["tools"]
    assert notes["record"]["properties"]["stars"]["type"] == "integer"
    assert {tool["action"]: tool["nature"] for tool in notes["tools"]}["delete"] == "destroy"


async def test_an_unknown_document_is_named_with_the_closest_ones(channel: McpChannel, era: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        with pytest.raises(MCPError, match="did you mean 'schema://models/notes'"):
            await client.read_resource("schema://models/note")


async def _read(client: Client, uri: str) -> dict[str, Any]:
    contents = (await client.read_resource(uri)).contents[0]
    assert isinstance(contents, mcp_types.TextResourceContents)
    return json.loads(contents.text)  # type: ignore[no-any-return]


@pytest.mark.parametrize("word", ["'; DROP TABLE notes; --", "{{input}} $txn.id ${x}", "Ünïcödé 🎉", '\t\n"\\'])
async def test_text_comes_back_as_it_was_given(channel: McpChannel, era: str, word: str) -> None:
    async with Client(channel.server(), mode=era) as client:
        made = await client.call_tool("database_notes_create", {"title": word})

    assert made.structured_content is not None
    assert made.structured_content["title"] == word
