"""Capabilities as tools: names, schemas and hints, as values.

Rule 1: nothing here imports the SDK; `protocol` turns these values into its types.
Rule 2: a toolset is made from one state of the catalogue and never changes; another state makes another.
Rule 3: hints are for the client's eyes. What a caller may do is decided behind `Answer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from kailash.capability import Capability, Nature
from kailash.errors import ConfigurationError, NoSuchCapabilityError, did_you_mean
from nexus.channels.mcp import names

_ADDITIVE: Final = frozenset({"create", "bulk_create"})  # they change nothing that was there before

# Records of a list that asks for no number. Arbitrary: a page that a model reads without losing the thread.
DEFAULT_ROWS: Final = 20


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """The annotations of a tool; destructive in the protocol's sense: it may change or remove what was there."""

    read_only: bool
    destructive: bool
    idempotent: bool


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool as a client sees it; ``capability`` is what a call of it asks for, None for a guide tool."""

    name: str
    title: str
    description: str
    inputs: dict[str, Any]  # JSON Schema of the arguments
    outputs: dict[str, Any]  # JSON Schema of the structured result
    hints: Hints
    capability: Capability | None = None


class Toolset:
    """All tools of one state of the catalogue, in the order of their names, found by name or alias."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.tools: tuple[Tool, ...] = tuple(sorted(tools, key=lambda tool: tool.name))
        self._found = _index(self.tools)

    def find(self, name: str) -> Tool:
        """Return the tool of that listed name or dotted alias.

        Raises: NoSuchCapabilityError, with the closest names.
        """
        try:
            return self._found[name]
        except KeyError:
            known = [tool.name for tool in self.tools]
            raise NoSuchCapabilityError(f"no tool is named {name!r}", hint=did_you_mean(name, known)) from None

    def after(self, name: str, most: int) -> tuple[tuple[Tool, ...], str | None]:
        """Return at most *most* tools that follow *name*, and the name to go on from when there are more."""
        rest = [tool for tool in self.tools if tool.name > name]
        page = tuple(rest[:most])
        return page, page[-1].name if len(rest) > most else None


def from_catalogue(catalogue: Mapping[str, Capability], prefix: str, rows: int) -> Toolset:
    """Return one tool for each capability.

    prefix: the first part of the names of models' operations. rows: the most records that one list may ask for.

    Raises: ConfigurationError when two capabilities would be listed under one name.
    """
    return Toolset(_tool(capability, prefix, rows) for capability in catalogue.values())


def _tool(capability: Capability, prefix: str, rows: int) -> Tool:
    return Tool(
        name=names.listed_name(capability, prefix),
        title=names.dotted_name(capability, prefix),
        description=capability.summary,
        inputs=_inputs(capability, rows),
        outputs=capability.output(),
        hints=Hints(
            read_only=capability.nature is Nature.READ,
            destructive=capability.nature is not Nature.READ and capability.action not in _ADDITIVE,
            idempotent=capability.idempotent,
        ),
        capability=capability,
    )


def _inputs(capability: Capability, rows: int) -> dict[str, Any]:
    """Return the capability's own schema, with the bounds on rows that this channel keeps written into it."""
    schema = capability.inputs.schema()
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    if capability.action == "list" and "limit" in properties:
        properties["limit"] = {
            "type": "integer",
            "minimum": 1,
            "maximum": rows,
            "default": min(DEFAULT_ROWS, rows),
            "description": "the most records to return",
        }
    more = not capability.resource and schema.get("additionalProperties", False)
    return {**schema, "type": "object", "properties": properties, "additionalProperties": more}


def _index(tools: Iterable[Tool]) -> dict[str, Tool]:
    found: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in found:
            raise ConfigurationError(
                f"{found[tool.name].title!r} and {tool.title!r} would both be the tool {tool.name!r}",
                hint="rename one of them, or set another mcp_tool_prefix",
            )
        found[tool.name] = tool
    for tool in tools:
        found.setdefault(tool.title, tool)
    return found
