"""What is hidden on a channel cannot be called over it either."""

from __future__ import annotations

from typing import Any

import pytest

from kailash.errors import NoSuchCapabilityError
from nexus import exposure, options
from nexus.call import Call
from nexus.testing import notes_provider


def exposed(**config: Any) -> exposure.Exposure:
    made = exposure.Exposure(exposure.rules(options.read({"dataflow_config": config})))
    made.add(notes_provider())
    return made


def names(made: exposure.Exposure, channel: str) -> set[str]:
    return {name.removeprefix("notes.") for name in made.on(channel)}


def test_everything_is_everywhere_unless_asked_otherwise() -> None:
    made = exposed()

    assert [len(made.on(channel)) for channel in ("rest", "cli", "mcp", "python")] == [11, 11, 11, 11]


def test_each_channel_can_be_left_out() -> None:
    made = exposed(auto_generate_endpoints=False, auto_generate_mcp_tools=False)

    assert [len(made.on(channel)) for channel in ("rest", "cli", "mcp", "python")] == [0, 11, 0, 11]


def test_a_channel_that_is_off_has_nothing() -> None:
    made = exposure.Exposure(exposure.rules(options.read({"enable_api": False, "enable_mcp": False})))
    made.add(notes_provider())

    assert [len(made.on(channel)) for channel in ("rest", "cli", "mcp", "python")] == [0, 11, 0, 11]


def test_bulk_operations_can_be_hidden() -> None:
    made = exposed(expose_bulk_operations=False)

    assert not any(name.startswith("bulk_") for name in names(made, "rest"))
    with pytest.raises(NoSuchCapabilityError):
        made.find(Call("rest", "notes.bulk_delete"))
    assert made.find(Call("python", "notes.bulk_delete")).action == "bulk_delete"


def test_agents_see_only_what_is_exposed_to_them() -> None:
    made = exposed(expose_to_agents={"write_operations": False})

    assert names(made, "mcp") == {"read", "list", "count"}
    assert len(names(made, "rest")) == 11
    with pytest.raises(NoSuchCapabilityError):
        made.find(Call("mcp", "notes.delete"))


def test_a_catalogue_follows_providers_that_come_later_and_takes_each_once() -> None:
    made = exposed()
    before = made.on("rest").revision
    later = notes_provider("memos")

    made.add(later)
    made.add(later)

    assert made.on("rest").revision != before
    assert "memos.list" in made.on("mcp")
    assert len(made.on("cli")) == 22
