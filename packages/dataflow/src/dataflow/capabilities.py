"""Models x operations -> capabilities: the one face of the data layer that channels and nodes know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec

from dataflow.model.registry import Model
from dataflow.model.spec import ModelSpec
from dataflow.operations import schemas, spellings, versions
from dataflow.operations import values as ops
from dataflow.operations.results import result
from kailash.capability import Capability, Inputs, Nature
from kailash.context import Context


class Runner(Protocol):
    """What runs operations: a `dataflow.DataFlow`."""

    def run(self, operation: ops.Operation, context: Context = ...) -> Any:
        """Run *operation*, blocking; return its outcome."""

    async def arun(self, operation: ops.Operation, context: Context = ...) -> Any:
        """Run *operation* under asyncio; return its outcome."""


class Action(msgspec.Struct, frozen=True):
    """One of the operations: how its inputs are read, what it changes, how it is described."""

    name: str
    nature: Nature
    read: Callable[[ModelSpec, Inputs], spellings.Asked]
    summary: str  # with {one} and {many}
    bulk: bool = False
    idempotent: bool = True
    policy: str = ""  # of the model, without which there is no such operation


ACTIONS: Final[Mapping[str, Action]] = {
    action.name: action
    for action in (
        Action("create", Nature.WRITE, spellings.create, "Create one {one}.", idempotent=False),
        Action("read", Nature.READ, spellings.read, "Read one {one}, by id or by a filter."),
        Action("update", Nature.WRITE, spellings.update, "Change fields of one {one}.", idempotent=False),
        Action("delete", Nature.DESTROY, spellings.delete, "Delete one {one}."),
        Action("list", Nature.READ, spellings.list, "List {many}: filtered, sorted, a page at a time."),
        Action("count", Nature.READ, spellings.count, "Count {many}."),
        Action("aggregate", Nature.READ, spellings.aggregate, "Compute totals of {many}: sums, averages, counts."),
        Action("upsert", Nature.WRITE, spellings.upsert, "Create one {one}, or change the one that is there."),
        Action("bulk_create", Nature.WRITE, spellings.bulk_create, "Create many {many}.", True, False),
        Action("bulk_update", Nature.WRITE, spellings.bulk_update, "Change many {many}.", True, False),
        Action("bulk_delete", Nature.DESTROY, spellings.bulk_delete, "Delete many {many}.", True),
        Action("bulk_upsert", Nature.WRITE, spellings.bulk_upsert, "Create or change many {many}.", True),
        Action(
            "history", Nature.READ, versions.history, "List the versions of one {one}, latest first.", policy="kept"
        ),
        Action("revert", Nature.WRITE, versions.revert, "Put one {one} back to a version.", False, False, "kept"),
        Action("restore", Nature.WRITE, spellings.restore, "Undo the deletion of one {one}.", policy="soft_delete"),
        Action("purge", Nature.DESTROY, spellings.purge, "Remove one deleted {one} for good.", policy="soft_delete"),
    )
}


def described(model: Model) -> dict[str, Any]:
    """Return the name, the table, the fields, the indexes, the relations and the operations of *model*."""
    spec = model.spec
    return {
        "name": spec.name,
        "table": spec.table,
        "fields": spec.record.schema()["properties"],
        "indexes": [{"name": each.name, "fields": [*each.fields], "unique": each.unique} for each in spec.indexes],
        "relations": {
            name: {"model": each.target, "many": each.many, "fields": [each.field, each.target_field]}
            for name, each in model.relations.items()
        },
        "operations": [action.name for action in actions(spec)],
    }


class OperationIntake:
    """What one operation of one model accepts."""

    def __init__(self, action: Action, model: Model) -> None:
        self._action, self._model, self._spec = action, model, model.spec

    def schema(self) -> dict[str, Any]:
        """Return the canonical spelling as a JSON Schema object."""
        return schemas.inputs(self._action.name, self._spec, self._model.relations)

    def accept(self, given: Inputs) -> spellings.Asked:
        """Return the operation that *given* asks for, in whichever spelling."""
        return self._action.read(self._spec, given)


def of_model(model: Model, runner: Runner) -> Iterator[Capability]:
    """Yield the capabilities of *model*."""
    for action in actions(model.spec):
        yield _capability(action, model, runner)


def actions(spec: ModelSpec) -> list[Action]:
    """Return the operations that a model has, given its policies."""
    return [action for action in ACTIONS.values() if not action.policy or getattr(spec.options, action.policy)]


def _capability(action: Action, model: Model, runner: Runner) -> Capability:
    spec = model.spec

    def call(asked: spellings.Asked, context: Context) -> Mapping[str, Any]:
        return result(asked, runner.run(asked.operation, context))

    async def acall(asked: spellings.Asked, context: Context) -> Mapping[str, Any]:
        return result(asked, await runner.arun(asked.operation, context))

    return Capability(
        name=f"{spec.resource}.{action.name}",
        summary=action.summary.format(one=spec.name, many=spec.resource.replace("_", " ")),
        nature=action.nature,
        inputs=OperationIntake(action, model),
        output=lambda: schemas.output(action.name, spec, model.relations),
        call=call,
        acall=acall,
        resource=spec.resource,
        action=action.name,
        record=spec.record,
        bulk=action.bulk,
        idempotent=action.idempotent,
    )
