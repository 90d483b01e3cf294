"""The resources that an agent may read before it acts: which models there are, and what a record of each is.

``schema://models`` is the table of contents, ``schema://models/products`` one model: JSON documents, made
from the catalogue and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kailash.errors import KailashError, Kind, did_you_mean
from nexus.channels.mcp.tools import Tool, Toolset

ROOT: Final = "schema://models"
TEMPLATE: Final = "schema://models/{name}"

FILTERING: Final[dict[str, Any]] = {
    "forms": [{"price": 5}, {"price": {"$gte": 5, "$lt": 10}}, {"$or": [{"active": True}, {"stock": {"$gt": 0}}]}],
    "operators": [
        *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$between", "$null", "$contains", "$icontains"),
        *("$startswith", "$istartswith", "$endswith", "$iendswith", "$like", "$ilike", "$regex", "$and", "$or", "$not"),
    ],
    "sort": "'-price,name': descending price, then name",
    "paging": "a list that was truncated gives 'next_cursor'; pass it back as 'cursor'",
}


class NoSuchResourceError(KailashError):
    """No resource has that address."""

    kind = Kind.NOT_FOUND
    code = "no_such_resource"


class Document(msgspec.Struct, frozen=True):
    """A resource as it is listed."""

    uri: str
    name: str
    description: str


def documents(toolset: Toolset) -> list[Document]:
    """Return what ``resources/list`` shows: the table of contents, then one document for each model."""
    found = [Document(ROOT, "models", "Every model, and the tools that work on it.")]
    return found + [
        Document(f"{ROOT}/{name}", name, f"Fields, filters and tools of {name}.") for name in _models(toolset)
    ]


def read(toolset: Toolset, uri: str) -> dict[str, Any]:
    """Return the document at *uri*.

    Raises: NoSuchResourceError, with the closest addresses.
    """
    models = _models(toolset)
    if uri == ROOT:
        return {
            "models": [
                {"name": name, "uri": f"{ROOT}/{name}", "tools": [tool.name for tool in tools]}
                for name, tools in models.items()
            ],
            "workflows": [{"name": tool.name, "description": tool.description} for tool in _workflows(toolset)],
        }
    name = uri.removeprefix(f"{ROOT}/")
    if not uri.startswith(f"{ROOT}/") or name not in models:
        known = [ROOT, *(f"{ROOT}/{each}" for each in models)]
        raise NoSuchResourceError(f"no resource is at {uri!r}", hint=did_you_mean(uri, known))
    return _model(name, models[name])


def _model(name: str, tools: list[Tool]) -> dict[str, Any]:
    record = next((tool.capability.record for tool in tools if tool.capability and tool.capability.record), None)
    return {
        "name": name,
        "record": record.schema() if record else {"type": "object"},
        "filter": FILTERING,
        "tools": [
            {
                "name": tool.name,
                "action": tool.capability.action,
                "nature": tool.capability.nature.value,
                "description": tool.description,
                "inputSchema": tool.inputs,
            }
            for tool in tools
            if tool.capability is not None
        ],
    }


def _models(toolset: Toolset) -> dict[str, list[Tool]]:
    """Return the tools of each model, both in the order of their names."""
    found: dict[str, list[Tool]] = {}
    for tool in toolset.tools:
        if tool.capability is not None and tool.capability.resource:
            found.setdefault(tool.capability.resource, []).append(tool)
    return dict(sorted(found.items()))


def _workflows(toolset: Toolset) -> Iterator[Tool]:
    return (tool for tool in toolset.tools if tool.capability is not None and not tool.capability.resource)
