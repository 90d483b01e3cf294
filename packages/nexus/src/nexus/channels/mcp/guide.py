"""Three tools in the place of many: search, describe, execute.

A hundred tools fill a model's context before it has read its task, and some clients stop at 128. Over the
budget these three are listed instead; they lead to the same calls, through the same gates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec

from kailash.shapes import Field, Shape
from nexus.channels.mcp.tools import Hints, Tool, Toolset

SEARCH: Final = "search_tools"
DESCRIBE: Final = "describe_tool"
EXECUTE: Final = "execute_tool"
MOST: Final = 50  # tools in one answer of a search; arbitrary: two screens of names
USUAL: Final = 10

_READS: Final = Hints(read_only=True, destructive=False, idempotent=True)
_WRITES: Final = Hints(read_only=False, destructive=True, idempotent=False)
_ANYTHING: Final[Mapping[str, Any]] = {"type": "object"}


class Guide:
    """The three tools, named with *prefix* as the others are, and what the first two answer."""

    def __init__(self, prefix: str) -> None:
        name = Field("name", str, description="the name of a tool, as the search gave it")
        self.shapes = {
            SEARCH: Shape(
                SEARCH,
                [
                    Field("query", str, "", "words such as a resource, an action, or both; empty finds all"),
                    Field("limit", Annotated[int, msgspec.Meta(ge=1, le=MOST)], USUAL, "the most tools to return"),
                ],
            ),
            DESCRIBE: Shape(DESCRIBE, [name]),
            EXECUTE: Shape(
                EXECUTE, [name, Field("arguments", dict[str, Any], {}, "as describe_tool's inputSchema says")]
            ),
        }
        self.toolset = Toolset(
            [
                self._tool(prefix, SEARCH, "Find tools by words. Begin here.", _FOUND, _READS),
                self._tool(prefix, DESCRIBE, "Tell what a tool takes and gives, as JSON Schema.", _TOLD, _READS),
                self._tool(prefix, EXECUTE, "Call a tool by its name, with its arguments.", _ANYTHING, _WRITES),
            ]
        )
        self.words = {f"{prefix}_{word}" if prefix else word: word for word in (SEARCH, DESCRIBE, EXECUTE)}

    def _tool(self, prefix: str, word: str, description: str, outputs: Mapping[str, Any], hints: Hints) -> Tool:
        return Tool(
            name=f"{prefix}_{word}" if prefix else word,
            title=f"{prefix}.{word}" if prefix else word,
            description=description,
            inputs={**self.shapes[word].schema(), "additionalProperties": False},
            outputs=dict(outputs),
            hints=hints,
        )


def search(toolset: Toolset, query: str, most: int) -> dict[str, Any]:
    """Return the tools that have most of the words of *query* in their name or description, best first.

    Of two that are as good the one with the shorter name comes first: "create" before "bulk create".
    """
    words = _words(query)
    scored = [(score, tool) for tool in toolset.tools if (score := _score(tool, words)) > 0 or not words]
    if words:
        scored.sort(key=lambda pair: (-pair[0], len(pair[1].name), pair[1].name))
    found = [{"name": tool.name, "title": tool.title, "description": tool.description} for _, tool in scored[:most]]
    return {"tools": found, "total": len(scored)}


def describe(tool: Tool) -> dict[str, Any]:
    """Return everything that ``tools/list`` would say of *tool*."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.inputs,
        "outputSchema": tool.outputs,
        "readOnly": tool.hints.read_only,
        "destructive": tool.hints.destructive,
    }


def _score(tool: Tool, words: Iterable[str]) -> int:
    """Count 3 for a word that is part of the name, 2 for the beginning of one, 1 for a word of the description."""
    name, description = _words(tool.name), _words(tool.description)
    return sum(
        3 if word in name else 2 if any(part.startswith(_stem(word)) for part in name) else int(word in description)
        for word in words
    )


def _stem(word: str) -> str:
    """Return *word* without a plural's ending, so that "orders" finds "order" and the other way round."""
    return word.removesuffix("s") if len(word) > 3 else word


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


_FOUND: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "tools": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "title": {"type": "string"},
                    "description": {"type": "string"},
                },
                "required": ["name", "title", "description"],
            },
        },
        "total": {"type": "integer"},
    },
    "required": ["tools", "total"],
}
_TOLD: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object"},
        "readOnly": {"type": "boolean"},
        "destructive": {"type": "boolean"},
    },
    "required": ["name", "title", "description", "inputSchema", "outputSchema", "readOnly", "destructive"],
}
