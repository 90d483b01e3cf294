"""The plan of a read or a list that brings records of other models along.

Rule 1: one query a relation, however many records there are.
Rule 2: what comes along is read by an operation of its own, run as any other: every policy of its model holds.
Rule 3: records are copied, not changed: they may be somebody else's, a cache's. Records of one parent share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from dataflow.effects import DataPlan, Row
from dataflow.errors import IncludeTooLargeError
from dataflow.model.registry import Model, Models
from dataflow.model.relations import Relation
from dataflow.operations import values as ops
from dataflow.query.ordering import Page
from kailash.conditions import Test
from kailash.errors import InvalidInputError, Problem, did_you_mean

MOST_RECORDS: Final = 10_000  # of one relation in one answer; arbitrary: a few megabytes

Run: TypeAlias = Callable[[ops.Operation, Model], DataPlan[Any]]  # the plan of an operation, with its policies


class _Branch(msgspec.Struct, frozen=True):
    """One relation of an operation, found and checked, with those that go on from it."""

    relation: Relation
    model: Model
    fields: tuple[str, ...]
    branches: tuple[_Branch, ...]


def plan(operation: ops.Read | ops.List, models: Models, run: Run) -> DataPlan[Any]:
    """Return what *operation* returns, each record with those of its relations under their names.

    A parent is a record or None, children are a list in order of id.
    Raises: InvalidInputError for a relation or a field that there is not; IncludeTooLargeError.
    """
    model = models[operation.model]
    branches = _found(model, operation.include, models)
    fetched = _with_keys(operation.fields, branches)
    bare: ops.Operation = replace(operation, include=(), fields=fetched)
    outcome = yield from run(bare, model)
    if isinstance(operation, ops.List):
        records = yield from _joined(outcome.records, operation.fields, branches, run)
        return replace(outcome, records=records)
    if outcome is None:
        return None
    records = yield from _joined([outcome], operation.fields, branches, run)
    return records[0]


def _found(model: Model, include: Sequence[ops.Include], models: Models) -> tuple[_Branch, ...]:
    branches = []
    for wanted in include:
        relation = model.relations.get(wanted.relation)
        if relation is None:
            raise _unknown(model, wanted.relation)
        target = models[relation.target]
        if bad := next((name for name in wanted.fields if name not in target.spec.by_name), None):
            hint = did_you_mean(bad, target.spec.by_name)
            sentence = f"{bad!r} is not a field of {relation.name} ({hint})"
            raise InvalidInputError(
                f"{model.name}: {sentence}", problems=[Problem("fields", "unknown_field", sentence)]
            )
        branches.append(_Branch(relation, target, wanted.fields, _found(target, wanted.include, models)))
    return tuple(branches)


def _unknown(model: Model, name: str) -> InvalidInputError:
    sentence = f"{name!r} is no relation of {model.name}"
    hint = did_you_mean(name, model.relations) if model.relations else f"{model.name} has no relations"
    return InvalidInputError(sentence, hint=hint, problems=[Problem("include", "unknown_relation", sentence)])


def _with_keys(fields: tuple[str, ...], branches: Sequence[_Branch], *also: str) -> tuple[str, ...]:
    """Return *fields* and those that the branches join by; all stays all."""
    if not fields:
        return ()
    return tuple(dict.fromkeys([*fields, *[branch.relation.field for branch in branches], *also]))


def _joined(
    records: Sequence[Row], fields: tuple[str, ...], branches: Sequence[_Branch], run: Run
) -> DataPlan[list[Row]]:
    """Return copies of *records*: their *fields*, and what belongs to each."""
    found: list[tuple[Relation, Mapping[Any, Any]]] = []
    for branch in branches:
        belonging = yield from _belonging(records, branch, run)
        found.append((branch.relation, belonging))
    joined = []
    for record in records:
        copy = {name: record[name] for name in fields} if fields else {**record}
        for relation, belonging in found:
            key = record[relation.field]
            copy[relation.name] = [*belonging.get(key, ())] if relation.many else belonging.get(key)
        joined.append(copy)
    return joined


def _belonging(records: Sequence[Row], branch: _Branch, run: Run) -> DataPlan[Mapping[Any, Any]]:
    """Return the records of one relation by the key that they belong to."""
    relation = branch.relation
    keys = tuple({record[relation.field]: None for record in records if record[relation.field] is not None})
    if not keys:
        return {}
    operation = ops.List(
        branch.model.name,
        Test(relation.target_field, "in", keys),
        page=Page(MOST_RECORDS),
        fields=_with_keys(branch.fields, branch.branches, relation.target_field),
    )
    listing: ops.Listing = yield from run(operation, branch.model)
    if listing.next is not None:
        raise IncludeTooLargeError(
            f"{relation.name!r} of these {relation.model} are more than {MOST_RECORDS} records",
            hint=f"list fewer at once, or list {relation.target} by {relation.target_field}",
        )
    full = listing.records
    shown = yield from _joined(full, branch.fields, branch.branches, run)
    belonging: dict[Any, Any] = {}
    for whole, record in zip(full, shown, strict=True):
        key = whole[relation.target_field]
        if relation.many:
            belonging.setdefault(key, []).append(record)
        else:
            belonging[key] = record
    return belonging
