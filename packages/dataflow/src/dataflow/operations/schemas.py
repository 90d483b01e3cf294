"""The canonical spelling of each operation, and its result, as JSON Schema: what OpenAPI and MCP publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dataflow.model.relations import Relation
from dataflow.model.spec import ModelSpec
from dataflow.operations import versions

Schema = dict[str, Any]

BOOLEAN: Final[Schema] = {"type": "boolean"}
INTEGER: Final[Schema] = {"type": "integer"}
FILTER: Final[Schema] = {
    "type": "object",
    "description": 'Which records: {"price": {"$gte": 5}, "name__contains": "x", "$or": [{...}, {...}]}',
}


Relations = Mapping[str, Relation]


def inputs(action: str, spec: ModelSpec, relations: Relations) -> Schema:
    """Return the schema of the inputs of *action*."""
    schema = INPUTS[action](spec)
    if action in INCLUDING and relations:
        schema["properties"] |= {"fields": _names_with(spec, relations), "include": _include(relations)}
    return schema


def output(action: str, spec: ModelSpec, relations: Relations) -> Schema:
    """Return the schema of the result of *action*."""
    schema = OUTPUTS[action](spec)
    if action in INCLUDING:
        record = schema if action == "read" else schema["properties"]["records"]["items"]
        record["properties"] |= {name: _included(relation) for name, relation in relations.items()}
    return schema


INCLUDING: Final = ("read", "list")


def _include(relations: Relations) -> Schema:
    named = ", ".join(relations)
    described = f"Relations whose records come along: {named}. A dot goes on from there: one.other."
    return {**_list_of({"type": "string"}), "description": described}


def _names_with(spec: ModelSpec, relations: Relations) -> Schema:
    example = f"{next(iter(relations))}.id"
    described = (
        f"Only these fields; all if absent: {', '.join(spec.by_name)}; {example} of a relation that is included."
    )
    return {**_list_of({"type": "string"}), "description": described}


def _included(relation: Relation) -> Schema:
    described = f"{relation.target}, if it is included."
    one: Schema = {"type": "object"}
    return {**(_list_of(one) if relation.many else {"type": ["object", "null"]}), "description": described}


def _of(properties: Mapping[str, Any], *required: str) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": [*required]} if required else schema


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _id(spec: ModelSpec) -> Schema:
    return {**spec.record.schema()["properties"]["id"], "description": f"The id of the {spec.name}."}


def _names(spec: ModelSpec) -> Schema:
    return {**_list_of({"type": "string", "enum": [*spec.by_name]}), "description": "Only these fields; all if absent."}


def _changes(spec: ModelSpec) -> Schema:
    schema = spec.settable.schema(partial=True)
    properties = {name: field for name, field in schema["properties"].items() if name != "id"}
    for field in properties.values():
        field.pop("default", None)
    return {**schema, "properties": properties}


def _record(spec: ModelSpec, **also: Schema) -> Schema:
    schema = spec.record.schema()
    return _of({**schema["properties"], **also}, *spec.by_name)


def _update(spec: ModelSpec) -> Schema:
    return _of({"id": _id(spec), **_changes(spec)["properties"], **_expected(spec)}, "id")


def _expected(spec: ModelSpec) -> Mapping[str, Schema]:
    """What an operation on one record of a versioned model takes besides."""
    said = {"type": "integer", "description": "The version that you know; another one is a conflict."}
    return {"expected_version": said} if spec.options.versioned else {}


def _deleted(spec: ModelSpec) -> Mapping[str, Schema]:
    """What an operation that reads a model of soft deletion takes besides."""
    said = {**BOOLEAN, "description": "Also records that are deleted and not purged."}
    return {"include_deleted": said} if spec.options.soft_delete else {}


def _then(spec: ModelSpec, *, version: bool = False) -> Mapping[str, Schema]:
    """What an operation that reads a model whose versions are kept takes besides."""
    said = "The time as of which to look: 2026-11-21T12:00:00Z" + ("; or the number of a version." if version else ".")
    return {"as_of": {"type": "string", "description": said}} if spec.options.kept else {}


def _history(spec: ModelSpec) -> Schema:
    most = {**INTEGER, "minimum": 1, "maximum": versions.MOST, "description": "Versions of the answer."}
    before = {**INTEGER, "minimum": 1, "description": "Only versions before this one."}
    return _of({"id": _id(spec), "limit": most, "before": before, **_deleted(spec)}, "id")


def _revert(spec: ModelSpec) -> Schema:
    version = {**INTEGER, "minimum": 1, "description": "The version whose values the record gets."}
    return _of({"id": _id(spec), "version": version, **_expected(spec)}, "id", "version")


def _versions(spec: ModelSpec) -> Schema:
    word: Schema = {"type": ["string", "null"]}
    said = {
        "version": INTEGER,
        "event": {"type": "string", "enum": ["create", "update", "delete"]},
        "at": {"type": "string", "format": "date-time"},
        **dict.fromkeys(("actor", "channel", "request_id", "operation"), word),
        "record": {**spec.record.schema(partial=True), "type": ["object", "null"]},
    }
    return _of({"versions": _list_of(_of(said, *said)), "count": INTEGER}, "versions", "count")


def _list(spec: ModelSpec) -> Schema:
    return _of(
        {
            "filter": FILTER,
            "sort": {
                "type": "string",
                "description": "Fields, separated by commas; a minus sorts descending: -price,name",
            },
            "limit": {**INTEGER, "minimum": 0, "description": "Records of a page."},
            "offset": {**INTEGER, "minimum": 0},
            "cursor": {"type": "string", "description": "next_cursor of the page before."},
            "fields": _names(spec),
            "count": {**BOOLEAN, "description": "Also count all that match: total."},
            **_deleted(spec),
            **_then(spec),
        }
    )


def _aggregate(spec: ModelSpec) -> Schema:
    fields = {**_list_of({"type": "string", "enum": [*spec.by_name]})}
    results = {name: {**fields, "description": f"The {what} of each of these fields."} for name, what in _SHORT}
    return _of(
        {
            "group_by": {
                "type": "array",
                "items": {"type": ["string", "object"]},
                "description": 'Fields, and parts of dates: ["category", {"$date_trunc": ["day", "created_at"]}]; '
                '"created_at:day" is the same.',
            },
            "aggregate": {
                "type": "object",
                "description": 'What to compute: {"revenue": {"$sum": {"$multiply": ["price", "stock"]}}, '
                '"orders": {"$count": "*"}}',
            },
            **results,
            "count": {**BOOLEAN, "description": "Also count the records of each group."},
            "filter": FILTER,
            "having": {"type": "object", "description": 'Which groups: {"revenue": {"$gt": 100}}'},
            "sort": {"type": "string", "description": "Results, separated by commas; a minus sorts descending."},
            "limit": {**INTEGER, "minimum": 0, "description": "Groups of the answer."},
            **_deleted(spec),
        }
    )


_SHORT: Final = (
    ("sum", "sum"),
    ("avg", "average"),
    ("min", "least"),
    ("max", "greatest"),
    ("count_distinct", "number of different values"),
)


def _upsert(spec: ModelSpec) -> Schema:
    fields = spec.settable.schema(partial=True)
    match = {**_list_of({"type": "string"}), "description": "Unique fields by which an existing record is known."}
    return _of(
        {
            "conflict_on": match,
            "create": {**spec.settable.schema(), "description": "The record, if there is none."},
            "update": {**_changes(spec), "description": "What changes, if there is one."},
            "where": {**fields, "description": "Values of the unique fields; they are created too."},
        },
        "create",
    )


def _bulk_update(spec: ModelSpec) -> Schema:
    rows = _list_of(spec.settable.schema(partial=True))
    return _of(
        {
            "filter": FILTER,
            "update": {**_changes(spec), "description": "What changes in all that match."},
            "data": {**rows, "description": "Instead of filter and update: rows with their ids and what changes."},
            "confirmed": {**BOOLEAN, "description": "Needed for an empty filter, which matches every record."},
        }
    )


INPUTS: Final[Mapping[str, Callable[[ModelSpec], Schema]]] = {
    "create": lambda spec: spec.settable.schema(),
    "read": lambda spec: _of(
        {"id": _id(spec), "fields": _names(spec), **_deleted(spec), **_then(spec, version=True)}, "id"
    ),
    "history": _history,
    "revert": _revert,
    "update": _update,
    "delete": lambda spec: _of({"id": _id(spec), **_expected(spec)}, "id"),
    "restore": lambda spec: _of({"id": _id(spec)}, "id"),
    "purge": lambda spec: _of({"id": _id(spec)}, "id"),
    "list": _list,
    "count": lambda spec: _of({"filter": FILTER, **_deleted(spec), **_then(spec)}),
    "aggregate": _aggregate,
    "upsert": _upsert,
    "bulk_create": lambda spec: _of(
        {
            "data": _list_of(spec.settable.schema()),
            "on_conflict": {"type": "string", "enum": ["error", "skip"]},
            "atomic": {**BOOLEAN, "description": "All or nothing (the default), or store what can be stored."},
            "returning": {**BOOLEAN, "description": "Return the ids."},
        },
        "data",
    ),
    "bulk_update": _bulk_update,
    "bulk_delete": lambda spec: _of({"filter": FILTER, "ids": _list_of(_id(spec)), "confirmed": BOOLEAN}),
    "bulk_upsert": lambda spec: _of(
        {
            "data": _list_of(spec.settable.schema()),
            "conflict_on": _list_of({"type": "string"}),
            "conflict_resolution": {"type": "string", "enum": ["update", "skip", "error"]},
        },
        "data",
    ),
}

COUNTS: Final = {"processed": INTEGER, "success": BOOLEAN}

OUTPUTS: Final[Mapping[str, Callable[[ModelSpec], Schema]]] = {
    "create": _record,
    **dict.fromkeys(("restore", "revert"), lambda spec: _record(spec, updated=BOOLEAN, rows_affected=INTEGER)),
    "history": _versions,
    "purge": lambda spec: _of({"id": _id(spec), "deleted": BOOLEAN, "rows_affected": INTEGER}, "deleted"),
    "read": lambda spec: {**_record(spec, found=BOOLEAN), "required": ["found"]},
    "update": lambda spec: _record(spec, updated=BOOLEAN, rows_affected=INTEGER),
    "delete": lambda spec: _of({"id": _id(spec), "deleted": BOOLEAN, "rows_affected": INTEGER}, "deleted"),
    "list": lambda spec: _of(
        {
            "records": _list_of({**spec.record.schema(partial=True)}),
            "count": INTEGER,
            "limit": {"type": ["integer", "null"]},
            "offset": INTEGER,
            "next_cursor": {"type": ["string", "null"]},
            "total": INTEGER,
        },
        "records",
        "count",
    ),
    "count": lambda spec: _of({"count": INTEGER}, "count"),
    "aggregate": lambda spec: _of({"groups": _list_of({"type": "object"}), "count": INTEGER}, "groups", "count"),
    "upsert": lambda spec: _of(
        {"record": _record(spec), "created": BOOLEAN, "action": {"type": "string", "enum": ["created", "updated"]}},
        "record",
    ),
    "bulk_create": lambda spec: _of(
        {
            **COUNTS,
            "inserted": INTEGER,
            "skipped": INTEGER,
            "failed": INTEGER,
            "errors": _list_of({"type": "object"}),
            "ids": _list_of(_id(spec)),
        },
        "inserted",
    ),
    "bulk_update": lambda spec: _of({**COUNTS, "updated": INTEGER}, "updated"),
    "bulk_delete": lambda spec: _of({**COUNTS, "deleted": INTEGER}, "deleted"),
    "bulk_upsert": lambda spec: _of(
        {**COUNTS, "inserted": INTEGER, "updated": INTEGER, "skipped": INTEGER, "upserted": INTEGER}, "upserted"
    ),
}
