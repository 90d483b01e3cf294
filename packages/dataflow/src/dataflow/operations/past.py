"""Records as they were: at a time, in a version; all versions of one; and a record put back to one.

Rule 1: what is asked of the past is asked in the same words, of another table: `Then` stands in for the model.
Rule 2: a clock may jump; the order of a record's versions is that of their numbers, and a time finds the last of those
        that say they are not later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, TypeVar

from msgspec.structs import replace

from dataflow.effects import DataPlan, Effect, Query, Row, ask, query
from dataflow.errors import RecordNotFoundError
from dataflow.model import past
from dataflow.model.registry import Model
from dataflow.model.spec import ModelSpec
from dataflow.operations import late
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen
from dataflow.query.assign import Assignment
from kailash.conditions import Test
from kailash.plan import through

By: TypeAlias = Literal["time", "version"]
O = TypeVar("O", ops.Read, ops.List, ops.Count)  # noqa: E741 - an operation
T = TypeVar("T")

AS_OF: Final = "_as_of"  # bind name of the time, or the version, that is asked for
BEFORE: Final = "_before"  # bind name of the version before which versions are listed


class Then(Model):
    """A model whose records are those of another time."""

    __slots__ = ("_by", "_of")

    def __init__(self, of: Model, by: By) -> None:
        self.spec, self._models, self._table = of.spec, of._models, None
        self._of, self._by = of, by

    @property
    def table(self) -> Any:
        """What the table was, to be asked with the bind value `AS_OF`."""
        if self._table is None:
            built: Any = late.statement("then", self._of, by_version=self._by == "version")()
            self._table = built
        return self._table


def seen(plan: Callable[[O, Model], DataPlan[T]], operation: O, model: Model) -> DataPlan[T]:
    """Return the plan of *operation* on the records as they were then."""
    by: By = "time" if isinstance(operation.as_of, dt.datetime) else "version"
    return _asked(plan(operation, _then(model, by)), operation.as_of)


def history(operation: ops.History, model: Model) -> DataPlan[list[ops.Version]]:
    """Return the versions of a record, the latest first."""
    shape, values = chosen(operation.id, operation.where)
    live = operation.deleted == "hidden" and model.spec.options.soft_delete
    values["_limit"] = operation.limit
    if operation.before is not None:
        values[BEFORE] = operation.before
    build = late.statement("versions", model, operation.where, live=live, before=operation.before is not None)
    rows = yield from query((model, "versions", live, operation.before is not None, shape), build, values)
    return [_version(model.spec, row) for row in rows.items]


def reverting(operation: ops.Update, model: Model) -> DataPlan[ops.Update]:
    """Return *operation* with the values that the record had in the version ``revert``.

    Raises: RecordNotFoundError where there was no such version.
    """
    then = _then(model, "version")
    shape, values = chosen(operation.id, operation.where)
    build = late.statement("read", then, (), operation.where, by_id=True)
    rows = yield from query((then, "read", (), shape), build, {**values, AS_OF: operation.revert})
    if not rows.items:
        raise RecordNotFoundError(f"there is no {model.name} with this id and version {operation.revert}")
    spec = model.spec
    restored = {
        name: Assignment("set", value)
        for name, value in _known(spec, rows.items[0]).items()
        if name != "id" and not spec.by_name[name].managed
    }
    return replace(operation, changes={**restored, **operation.changes}, revert=None)


def forget(ids: list[Any], model: Model) -> DataPlan[None]:
    """Remove all versions of the records of these ids."""
    assert model.past is not None
    where = Test("id", "in", tuple(ids))
    shape, values = chosen(None, where)
    build = late.statement("bulk_delete", model.past, {}, where)
    yield from query((model.past, "bulk delete", (), shape), build, values, writes=True)


def _then(model: Model, by: By) -> Model:
    found = model.then.get(by)
    if found is None:
        found = Then(model, by)
        model.then = {**model.then, by: found}
    return found


def _asked(plan: DataPlan[T], as_of: Any) -> DataPlan[T]:
    def told(effect: Effect) -> DataPlan[Any]:
        if isinstance(effect, Query):
            return ask(replace(effect, values={**effect.values, AS_OF: as_of}))
        return ask(effect)

    return through(plan, told)


def _version(spec: ModelSpec, row: Row) -> ops.Version:
    removed = row[past.EVENT] == "delete"
    return ops.Version(
        version=row["version"],
        event=row[past.EVENT],
        at=row[past.AT],
        record=None if removed else _known(spec, row),
        **{name.removeprefix("_"): row[name] for name in past.WHO},
    )


def _known(spec: ModelSpec, row: Row) -> dict[str, Any]:
    """Return the fields that the record had; a field that came later has no value yet."""
    return {field.name: row[field.name] for field in spec.fields if row[field.name] is not None or field.nullable}
