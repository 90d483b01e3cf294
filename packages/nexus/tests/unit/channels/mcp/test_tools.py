from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from msgspec import Meta

from kailash import WorkflowBuilder
from kailash.capability import Catalogue
from kailash.errors import ConfigurationError, NoSuchCapabilityError
from nexus import Nexus
from nexus.channels.mcp import tools
from nexus.channels.mcp.calls import Desk
from nexus.testing import notes_provider


def toolset(*resources: str, prefix: str = "database", rows: int = 1000) -> tools.Toolset:
    catalogue = Catalogue(notes_provider(resource) for resource in resources or ("notes",))
    return tools.from_catalogue(catalogue, prefix, rows)


def test_a_model_has_eleven_tools_in_the_order_of_their_names() -> None:
    assert [tool.name for tool in toolset().tools] == [
        "database_notes_bulk_create",
        "database_notes_bulk_delete",
        "database_notes_bulk_update",
        "database_notes_bulk_upsert",
        "database_notes_count",
        "database_notes_create",
        "database_notes_delete",
        "database_notes_list",
        "database_notes_read",
        "database_notes_update",
        "database_notes_upsert",
    ]


def test_the_dotted_spelling_is_the_title_and_an_alias() -> None:
    found = toolset().find("database.notes.list")

    assert found.title == "database.notes.list"
    assert found is toolset_find_listed(found)


def toolset_find_listed(tool: tools.Tool) -> tools.Tool:
    return tools.Toolset([tool]).find("database_notes_list")


def test_an_unknown_tool_is_named_with_the_closest_ones() -> None:
    with pytest.raises(NoSuchCapabilityError, match="did you mean 'database_notes_list'"):
        toolset().find("database_note_list")


def test_every_input_schema_is_one_closed_object_without_references() -> None:
    for tool in toolset().tools:
        assert tool.inputs["type"] == "object"
        assert tool.inputs["additionalProperties"] is False
        assert "$ref" not in json.dumps(tool.inputs)


@pytest.mark.parametrize(
    ("action", "read_only", "destructive"),
    [
        ("list", True, False),
        ("read", True, False),
        ("count", True, False),
        ("create", False, False),
        ("bulk_create", False, False),
        ("update", False, True),
        ("upsert", False, True),
        ("delete", False, True),
        ("bulk_delete", False, True),
    ],
)
def test_hints_tell_what_a_tool_may_change(action: str, read_only: bool, destructive: bool) -> None:
    hints = toolset().find(f"database_notes_{action}").hints

    assert (hints.read_only, hints.destructive) == (read_only, destructive)


def test_a_list_says_how_many_records_it_returns_and_may_return() -> None:
    limit: dict[str, Any] = toolset(rows=500).find("database_notes_list").inputs["properties"]["limit"]

    assert (limit["default"], limit["maximum"]) == (20, 500)


def test_the_default_is_never_over_the_bound() -> None:
    limit = toolset(rows=5).find("database_notes_list").inputs["properties"]["limit"]

    assert (limit["default"], limit["maximum"]) == (5, 5)


def test_pages_go_on_after_a_name_and_hold_every_tool_once() -> None:
    everything = toolset("notes", "orders")
    seen: list[str] = []
    start: str | None = ""
    while start is not None:
        page, start = everything.after(start, 5)
        assert len(page) <= 5
        seen += [tool.name for tool in page]

    assert seen == [tool.name for tool in everything.tools]


def test_two_capabilities_under_one_name_are_refused_with_both_titles() -> None:
    first = toolset().tools[0]

    with pytest.raises(ConfigurationError, match=r"'database\.notes\.bulk_create' and 'another'"):
        tools.Toolset([first, tools.Tool(**{**_fields(first), "title": "another"})])


def _fields(tool: tools.Tool) -> dict[str, Any]:
    return {name: getattr(tool, name) for name in tool.__struct_fields__}


def checkout() -> Nexus:
    def order(item: str, count: Annotated[int, Meta(ge=1)] = 1) -> dict[str, Any]:
        return {"item": item, "count": count}

    builder = WorkflowBuilder("checkout", "Order something.")
    builder.add_node(order, "order", {"item": "{{item}}", "count": "{{count}}"})
    app = Nexus(enable_durability=False)
    app.register("shop.checkout", builder)
    return app


def test_a_workflow_is_a_tool_with_its_own_input_schema() -> None:
    (tool,) = tools.from_catalogue(checkout().catalogue_of("mcp"), "database", 1000).tools

    assert tool.name.startswith("shop_checkout_")
    assert (tool.title, tool.description) == ("shop.checkout", "Order something.")
    assert tool.inputs == {
        "type": "object",
        "properties": {"item": {"type": "string"}, "count": {"type": "integer", "minimum": 1, "default": 1}},
        "required": ["item"],
        "additionalProperties": False,
    }
    assert not tool.hints.read_only


async def test_a_workflow_is_called_by_an_agent_and_refuses_with_its_problems() -> None:
    app = checkout()
    desk = Desk(app.catalogue_of("mcp"), app.answer, app.options)

    done = await desk.call("shop.checkout", {"item": "$order.count"}, {})
    refused = await desk.call("shop.checkout", {"itm": "lamp"}, {})

    assert done.structured is not None
    assert done.structured["outputs"] == {"order": {"item": "$order.count", "count": 1}}
    assert refused.failed
    assert "did you mean 'item'" in json.loads(refused.text)["errors"][0]["message"]
