"""``include`` and ``fields`` of a read or a list -> the fields of its records, and the relations that come along.

``include="customer,lines.product"`` brings the customer, and the lines with their products. Whether a model has these
relations is known where the operation is planned (`dataflow.operations.related`): a spec knows its own fields alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from kailash.errors import InvalidInputError, Problem, did_you_mean

MOST: Final = 16  # relations of one operation; arbitrary, each is a query
DEEPEST: Final = 4  # relations of one path; arbitrary


class _Wanted(msgspec.Struct):
    """What is wanted of one relation, while it is being read."""

    fields: list[str] = []
    relations: dict[str, _Wanted] = {}


def read(spec: ModelSpec, fields: Any, include: Any) -> tuple[tuple[str, ...], tuple[ops.Include, ...]]:
    """Return the fields of the model that are wanted (empty: all), and its relations.

    fields, include: names, as text with commas or as a list; ``customer.name`` is a field of an included record.
    Raises: InvalidInputError.
    """
    if not fields and not include:
        return (), ()
    root = _Wanted()
    paths = _names(spec, "include", include)
    for path in paths:
        _add(spec, root, path)
    if _counted(root) > MOST:
        raise _refused(spec, "include", "constraint", f"at most {MOST} relations can be included at once")
    for name in _names(spec, "fields", fields):
        _choose(spec, root, name)
    return tuple(root.fields), _values(root.relations)


def _add(spec: ModelSpec, root: _Wanted, path: str) -> None:
    steps = path.split(".")
    if len(steps) > DEEPEST:
        raise _refused(spec, "include", "constraint", f"{path!r} is longer than {DEEPEST} relations")
    for step in steps:
        if not step.isidentifier():
            raise _refused(spec, "include", "constraint", f"{path!r} names no relation")
        root = root.relations.setdefault(step, _Wanted())


def _choose(spec: ModelSpec, root: _Wanted, name: str) -> None:
    *path, field = name.split(".")
    if not path and field not in spec.by_name:
        hint = did_you_mean(field, spec.by_name)
        raise _refused(spec, "fields", "unknown_field", f"{field!r} is not a field ({hint})")
    for step in path:
        if step not in root.relations:
            raise _refused(spec, "fields", "unknown_field", f"{name!r} is of {step!r}, which is not included")
        root = root.relations[step]
    if field not in root.fields:
        root.fields.append(field)


def _counted(wanted: _Wanted) -> int:
    return sum(1 + _counted(each) for each in wanted.relations.values())


def _values(relations: Mapping[str, _Wanted]) -> tuple[ops.Include, ...]:
    return tuple(
        [ops.Include(name, tuple(wanted.fields), _values(wanted.relations)) for name, wanted in relations.items()]
    )


def _names(spec: ModelSpec, parameter: str, said: Any) -> Iterable[str]:
    if not said:
        return ()
    if isinstance(said, str):
        return [name for name in map(str.strip, said.split(",")) if name]
    if isinstance(said, Sequence) and not isinstance(said, bytes) and all(isinstance(name, str) for name in said):
        return said
    raise _refused(spec, parameter, "wrong_type", f"{parameter!r} must be names, with commas between or as a list")


def _refused(spec: ModelSpec, field: str, code: str, sentence: str) -> InvalidInputError:
    return InvalidInputError(f"{spec.name}: {sentence}", problems=[Problem(field, code, sentence)])
