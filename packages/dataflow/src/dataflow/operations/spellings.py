"""Every spelling of every operation's parameters -> one operation value, checked.

The table of spellings is in docs/reference/operations.md. A name that is a field of the model is the field,
so a model with a field ``filter`` is reached by the other spelling (``conditions``).
Rule: nothing is ignored; a parameter that no spelling has is an error with the closest name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from dataflow.errors import UnconfirmedError
from dataflow.model.spec import DELETED, ModelSpec
from dataflow.operations import grouping, including, parameters
from dataflow.operations import rows as reading
from dataflow.operations import values as ops
from dataflow.operations.parameters import Given
from dataflow.query import assign, ordering
from kailash.conditions import EVERYTHING, Test, Where, parse
from kailash.errors import InvalidInputError, Problem

LIST_LIMIT: Final = 100  # records of a page where no limit is given; the seeds' default


class Asked(msgspec.Struct, frozen=True):
    """An operation, and whether finding no record is an error."""

    operation: ops.Operation
    strict: bool = True


def create(spec: ModelSpec, given: Given) -> Asked:
    """Flat fields."""
    return Asked(ops.Create(spec.name, stored(spec, given)))


def read(spec: ModelSpec, given: Given) -> Asked:
    """``id`` or ``record_id``, or ``filter``; ``fields``; ``include``; ``raise_on_not_found``; ``include_deleted``.

    Of a model whose versions are kept also ``as_of``: a time, or with an id a version.
    """
    known = ("id", "record_id", "filter", "conditions", "fields", "include", "raise_on_not_found")
    parameters.only(spec, "read", given, known, "include_deleted", "as_of")
    id, where = _which(spec, "read", given)
    fields, include = including.read(spec, given.get("fields"), given.get("include"))
    then = given.get("as_of")
    if then is not None:
        then = (parameters.moment if id is None else parameters.point)(spec, then, include=include)
    operation = ops.Read(spec.name, id, where, fields, include, _deleted(spec, given), then)
    return Asked(operation, parameters.flag(spec, given, "raise_on_not_found", default=True))


def update(spec: ModelSpec, given: Given) -> Asked:
    """``id`` and fields, flat or as ``fields``; or ``filter`` and ``fields``; or ``conditions`` and ``updates``.

    Of a versioned model also ``expected_version``, with an ``id``.
    """
    given = dict(given)
    if _is_ours(spec, given, "raise_on_not_found"):
        del given["raise_on_not_found"]
    names = ("id", "record_id", "filter", "conditions", *(["expected_version"] if spec.options.versioned else []))
    choice = {name: given.pop(name) for name in names if _is_ours(spec, given, name)}
    nested = [name for name in ("fields", "updates", "update") if _is_ours(spec, given, name)]
    changes = given.pop(nested[0]) if nested else given
    if nested and given:
        parameters.unknown(spec, "update", next(iter(given)), ("id", "filter", "conditions", *nested))
    id, where = _which(spec, "update", choice)
    return Asked(ops.Update(spec.name, _changes(spec, changes), id, where, version=parameters.expected(spec, choice)))


def delete(spec: ModelSpec, given: Given) -> Asked:
    """``id`` or ``record_id``, or ``filter``; ``expected_version``, as for an update."""
    known = ("id", "record_id", "filter", "conditions", "raise_on_not_found")
    parameters.only(spec, "delete", given, known, "expected_version")
    id, where = _which(spec, "delete", given)
    strict = parameters.flag(spec, given, "raise_on_not_found", default=True)
    return Asked(ops.Delete(spec.name, id, where, version=parameters.expected(spec, given)), strict)


def restore(spec: ModelSpec, given: Given) -> Asked:
    """``id`` or ``record_id``, or ``filter``: of records that are marked as deleted, which then are not."""
    deleted(spec, shown=True)
    parameters.only(spec, "restore", given, ("id", "record_id", "filter", "conditions", "raise_on_not_found"))
    id, where = _which(spec, "restore", given)
    return Asked(ops.Update(spec.name, {DELETED: assign.Assignment("set", None)}, id, where, "only"))


def purge(spec: ModelSpec, given: Given) -> Asked:
    """``id`` or ``record_id``, or ``filter``: of records that are marked as deleted, which then are gone."""
    deleted(spec, shown=True)
    parameters.only(spec, "purge", given, ("id", "record_id", "filter", "conditions", "raise_on_not_found"))
    id, where = _which(spec, "purge", given)
    strict = parameters.flag(spec, given, "raise_on_not_found", default=True)
    return Asked(ops.Delete(spec.name, id, where, "only"), strict)


def list(spec: ModelSpec, given: Given) -> Asked:
    """``filter``, ``sort`` or ``order_by``, ``limit``, ``offset``, ``cursor``, ``fields``, ``include``, ``count``.

    Of a model of soft deletion also ``include_deleted``, as for every operation that reads; of one whose versions are
    kept ``as_of``, a time.
    """
    known = ("filter", "sort", "order_by", "limit", "offset", "cursor", "fields", "include", "count")
    parameters.only(spec, "list", given, known, "include_deleted", "as_of")
    order = given.get("sort") or given.get("order_by") or ()
    fields, include = including.read(spec, given.get("fields"), given.get("include"))
    operation = ops.List(
        spec.name,
        _where(spec, given.get("filter")),
        ordering.parse_order(order, spec.record) if order else (),
        ordering.page(given.get("limit", LIST_LIMIT), given.get("offset"), given.get("cursor")),
        fields,
        given.get("count") in (True, "exact"),
        include,
        _deleted(spec, given),
        _then(spec, given, include),
    )
    return Asked(operation)


def count(spec: ModelSpec, given: Given) -> Asked:
    """``filter``; ``include_deleted``; ``as_of``."""
    parameters.only(spec, "count", given, ("filter",), "include_deleted", "as_of")
    where = _where(spec, given.get("filter"))
    return Asked(ops.Count(spec.name, where, _deleted(spec, given), _then(spec, given)))


def aggregate(spec: ModelSpec, given: Given) -> Asked:
    """``group_by``, ``aggregate`` or ``sum avg min max count count_distinct``, ``filter having sort limit``."""
    known = ("filter", "group_by", "aggregate", *grouping.SHORT, "count", "having", "sort", "order_by", "limit")
    parameters.only(spec, "aggregate", given, known, "include_deleted")
    return Asked(msgspec.structs.replace(grouping.aggregate(spec, given), deleted=_deleted(spec, given)))


def upsert(spec: ModelSpec, given: Given) -> Asked:
    """``where`` or ``conflict_on``, with ``create`` and ``update``; or flat fields."""
    nested = [name for name in ("where", "create", "update") if _is_ours(spec, given, name)]
    flat = {name: value for name, value in given.items() if name not in (*nested, "conflict_on")}
    where = parameters.mapping(spec, "where", given.get("where", {})) if nested else {}
    if nested and flat:
        parameters.unknown(spec, "upsert", next(iter(flat)), ("where", "conflict_on", "create", "update"))
    values = {**where, **parameters.mapping(spec, "create", given.get("create", {}))} if nested else flat
    match = matched(spec, given.get("conflict_on") or tuple(where), values)
    changes = given.get("update", {}) if nested else {name: flat[name] for name in flat if name not in (*match, "id")}
    create = stored(spec, values)
    return Asked(ops.Upsert(spec.name, match, create, assign.parse_changes(changes, spec.settable) if changes else {}))


def bulk_create(spec: ModelSpec, given: Given) -> Asked:
    """``data`` or ``records``; ``on_conflict``; ``atomic``; ``returning``."""
    parameters.only(spec, "bulk_create", given, ("data", "records", "on_conflict", "atomic", "returning", "return_ids"))
    atomic = parameters.flag(spec, given, "atomic", default=True)
    batches, refused = reading.to_store(spec, _rows(spec, given), partial_failure=not atomic)
    returning = parameters.flag(spec, given, "returning", default=False) or parameters.flag(
        spec, given, "return_ids", default=False
    )
    on_conflict = parameters.choice(spec, given, "on_conflict", ("error", "skip"))
    return Asked(ops.BulkCreate(spec.name, batches, on_conflict, atomic, returning, refused))


def bulk_update(spec: ModelSpec, given: Given) -> Asked:
    """``filter`` with ``update`` or ``fields``; or ``data``: rows with their ids. ``confirmed`` for an empty filter."""
    known = ("filter", "conditions", "update", "fields", "updates", "data", "records", "key_field", "confirmed")
    parameters.only(spec, "bulk_update", given, known)
    if "data" in given or "records" in given:
        key = given.get("key_field", "id")
        if key not in spec.by_name:
            parameters.unknown(spec, "bulk_update", str(key), tuple(spec.by_name))
        return Asked(ops.BulkUpdate(spec.name, batches=reading.to_change(spec, _rows(spec, given), key)))
    changes = next((given[name] for name in ("update", "fields", "updates") if name in given), None)
    if changes is None:
        parameters.missing(spec, "update", "bulk_update needs 'update' (with 'filter'), or 'data'")
    where = _where(spec, given.get("filter", given.get("conditions")))
    _confirmed(spec, "bulk_update", given, where)
    return Asked(ops.BulkUpdate(spec.name, where, _changes(spec, changes)))


def bulk_delete(spec: ModelSpec, given: Given) -> Asked:
    """``filter`` or ``ids``; ``confirmed`` for an empty filter."""
    parameters.only(spec, "bulk_delete", given, ("filter", "conditions", "ids", "confirmed"))
    if "ids" in given:
        ids = given["ids"]
        if isinstance(ids, str | bytes) or not isinstance(ids, Sequence):
            raise parameters.invalid(spec, "ids", "wrong_type", "'ids' must be a list")
        wanted = tuple([spec.record.check_value("id", id) for id in ids])
        return Asked(ops.BulkDelete(spec.name, Test("id", "in", wanted)))
    where = _where(spec, given.get("filter", given.get("conditions")))
    _confirmed(spec, "bulk_delete", given, where)
    return Asked(ops.BulkDelete(spec.name, where))


def bulk_upsert(spec: ModelSpec, given: Given) -> Asked:
    """``data``; ``conflict_on`` or ``unique_fields``; ``conflict_resolution``."""
    parameters.only(
        spec, "bulk_upsert", given, ("data", "records", "conflict_on", "unique_fields", "conflict_resolution")
    )
    data = _rows(spec, given)
    if not data:
        return Asked(ops.BulkUpsert(spec.name, ()))
    first = data[0] if isinstance(data[0], Mapping) else {}
    match = matched(spec, given.get("conflict_on") or given.get("unique_fields") or (), first)
    resolution = parameters.choice(spec, given, "conflict_resolution", ("update", "skip", "error"))
    batches, repeated = reading.to_merge(spec, data, match, keep_first=resolution == "skip")
    if repeated and resolution == "error":
        raise parameters.invalid(spec, "data", "constraint", f"two rows of 'data' have the same {', '.join(match)}")
    return Asked(ops.BulkUpsert(spec.name, batches, match, resolution, repeated=repeated))


# -- what the spellings share --------------------------------------------------------------------------------


def stored(spec: ModelSpec, given: Given) -> dict[str, Any]:
    """Return the values of a new record: checked, with the defaults of what is missing."""
    _not_managed(spec, given)
    shape = spec.settable
    values = shape.fill(shape.check(given))
    if spec.autoincrement and values["id"] is None:
        del values["id"]
    return values


def matched(spec: ModelSpec, asked: Any, values: Given) -> tuple[str, ...]:
    """Return the fields by which an upsert knows a record: those asked for, else ``id``, else a unique index.

    The database can only keep two writers apart by a unique index, so there must be one on these fields.
    """
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    for name in names:
        if name not in spec.by_name:
            parameters.unknown(spec, "upsert", str(name), tuple(spec.by_name))
        if name not in values:
            parameters.missing(spec, name, f"{name!r} is missing, which the upsert matches by")
    if names:
        if any(set(names) == set(fields) for fields in spec.keys):
            return names
        hint = f'add {{"fields": {[*names]}, "unique": True}} to __indexes__'
        raise parameters.invalid(spec, "conflict_on", "constraint", f"no unique index is on {', '.join(names)}; {hint}")
    for fields in spec.keys:
        if all(values.get(name) is not None for name in fields):
            return fields
    raise parameters.invalid(
        spec, "conflict_on", "missing", "'conflict_on' is missing: which fields identify a record?"
    )


def _which(spec: ModelSpec, action: str, given: Given) -> tuple[Any, Where]:
    id = given.get("id", given.get("record_id"))
    if id is not None:
        if given.get("filter") or given.get("conditions"):
            raise parameters.invalid(spec, "filter", "constraint", f"{action} takes 'id' or 'filter', not both")
        return spec.record.check_value("id", id), EVERYTHING
    where = _where(spec, given.get("filter", given.get("conditions")))
    if where is EVERYTHING or where == EVERYTHING:
        parameters.missing(spec, "id", f"{action} needs 'id', or a 'filter' that is not empty")
    return None, where


def _where(spec: ModelSpec, filter: Any) -> Where:
    return EVERYTHING if filter is None or filter == {} else parse(filter, spec.record)


def _changes(spec: ModelSpec, changes: Any) -> ops.Changes:
    _not_managed(spec, parameters.mapping(spec, "fields", changes))
    if not changes:
        raise parameters.invalid(spec, "fields", "missing", "no field to change was given")
    return assign.parse_changes(changes, spec.settable)


def _rows(spec: ModelSpec, given: Given) -> Sequence[Any]:
    rows = given.get("data", given.get("records"))
    if rows is None:
        parameters.missing(spec, "data", "'data' is missing: a list of records")
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Sequence):
        raise parameters.invalid(spec, "data", "wrong_type", "'data' must be a list of records")
    return rows


def _confirmed(spec: ModelSpec, action: str, given: Given, where: Where) -> None:
    if where == EVERYTHING and given.get("confirmed") is not True:
        raise UnconfirmedError(
            f"{action} without a filter concerns every {spec.name}", hint="pass a filter, or confirmed=True"
        )


def _not_managed(spec: ModelSpec, given: Given) -> None:
    managed = [name for name in spec.managed if name in given]
    if managed:
        problems = [Problem(name, "managed", f"{name!r} is kept by the database and cannot be set") for name in managed]
        raise InvalidInputError(f"{spec.name}: {problems[0].message}", problems=problems)


def _is_ours(spec: ModelSpec, given: Given, name: str) -> bool:
    """Whether *name* is the parameter, and not a field of that name."""
    return name in given and (name not in spec.by_name or name == "id")


def deleted(spec: ModelSpec, *, shown: bool) -> ops.Deleted:
    """Return what becomes of records that are marked as deleted. Raises: InvalidInputError where none can be."""
    if shown and not spec.options.soft_delete:
        raise parameters.invalid(
            spec, "include_deleted", "unknown_field", "'include_deleted' is of a model with soft_delete"
        )
    return "shown" if shown else "hidden"


def _then(spec: ModelSpec, given: Given, include: tuple[ops.Include, ...] = ()) -> datetime | None:
    then = given.get("as_of")
    return None if then is None else parameters.moment(spec, then, include=include)


def _deleted(spec: ModelSpec, given: Given) -> ops.Deleted:
    return (
        "shown"
        if "include_deleted" in given and parameters.flag(spec, given, "include_deleted", default=False)
        else "hidden"
    )
