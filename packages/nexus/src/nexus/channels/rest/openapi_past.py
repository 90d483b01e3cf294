"""The paths behind one record, as OpenAPI has them: its versions, back to one, back from deletion, gone for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kailash.capability import Capability
from nexus.channels.rest.openapi_parts import Schema, answered, query
from nexus.channels.rest.params import OPTIONAL


def optional(capability: Capability) -> list[Schema]:
    """Return the parameters of the query string that only some resources have."""
    known = capability.inputs.schema().get("properties", {})
    return [_parameter(known, name) for name in OPTIONAL if name in known]


def paths(
    actions: Mapping[str, Capability], operation: Callable[..., Schema], record: Schema, id: Callable[[], Schema]
) -> Schema:
    """Return the paths of the *actions* that there are. operation: makes one of an action's name and its answers."""
    stored = {"200": answered("The record.", record)}
    found: Schema = {}
    if (history := actions.get("history")) is not None:
        known = history.inputs.schema()["properties"]
        parameters = [_parameter(known, name) for name in ("limit", "before", *OPTIONAL) if name in known]
        listed = {"type": "object", "properties": {"items": history.output()["properties"]["versions"]}}
        answers = {"200": answered("The versions, the latest first.", listed)}
        found["/{id}/history"] = {"get": operation("history", answers, parameters=parameters)}
    if (revert := actions.get("revert")) is not None:
        schema = revert.inputs.schema()
        properties = {name: each for name, each in schema["properties"].items() if name != "id"}
        body = {**schema, "properties": properties, "required": ["version"]}
        found["/{id}/revert"] = {"post": operation("revert", stored, body=body)}
    if "restore" in actions:
        found["/{id}/restore"] = {"post": operation("restore", stored)}
    if "purge" in actions:
        found["/{id}/purge"] = {"post": operation("purge", {"204": {"description": "It is gone for good."}})}
    for item in found.values():
        item["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": id()}]
    return found


def _parameter(known: Mapping[str, Any], name: str) -> Schema:
    schema = {key: value for key, value in known[name].items() if key != "description"}
    return query(name, schema, known[name].get("description", ""))
