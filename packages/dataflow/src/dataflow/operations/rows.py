"""Many records at once -> batches: checked column by column, with the defaults of what is missing.

A column whose values all have the declared type is checked at C speed; what does not pass is checked value
by value, so that every bad field of every row is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import eq, methodcaller
from typing import Any, Final

from dataflow.model.spec import FieldSpec, ModelSpec
from dataflow.operations import values as ops
from kailash.errors import InvalidInputError, Problem
from kailash.shapes import REQUIRED, Shape

MOST_PROBLEMS: Final = 100  # bad fields that one refusal lists; arbitrary
LOW: Final = -(2**63)  # BIGINT of PostgreSQL, INTEGER of SQLite
HIGH: Final = 2**63 - 1

KEYS: Final = methodcaller("keys")

Rows = Sequence[Mapping[str, Any]]


def to_store(
    spec: ModelSpec, rows: Sequence[Any], *, partial_failure: bool
) -> tuple[tuple[ops.Batch, ...], tuple[ops.Failure, ...]]:
    """Return *rows* as new records; with *partial_failure* those that are none are returned as failures."""
    if not partial_failure:
        return tuple([_stored(spec, group, at) for group, at in _alike(spec, rows)]), ()
    good, positions, refused = [], [], []
    for position, row in enumerate(rows):
        try:
            _refuse_bad(spec, [row], [position], spec.settable)
        except InvalidInputError as error:
            refused.append(ops.Failure(position, error.code, str(error)))
        else:
            good.append(row)
            positions.append(position)
    batches = [_stored(spec, group, [positions[index] for index in at]) for group, at in _alike(spec, good)]
    return tuple(batches), tuple(refused)


def to_change(spec: ModelSpec, rows: Sequence[Any], key: str) -> tuple[ops.Batch, ...]:
    """Return *rows*, each with its *key* and the fields to change, key first."""
    batches = []
    for group, at in _alike(spec, rows):
        names = group[0].keys()
        if key not in names:
            problem = Problem(f"data.{at[0]}.{key}", "missing", f"row {at[0]} has no {key!r}")
            raise InvalidInputError(f"{spec.name}: {problem.message}", problems=[problem])
        given = (key, *[name for name in spec.by_name if name in names and name != key])
        columns = [_column(spec, name, group, at) for name in given]
        batches.append(ops.Batch(given, [*zip(*columns, strict=True)], given[1:], at))
    return tuple(batches)


def to_merge(
    spec: ModelSpec, rows: Sequence[Any], match: tuple[str, ...], *, keep_first: bool
) -> tuple[tuple[ops.Batch, ...], int]:
    """Return *rows* with those of the same *match* made one, and how many went into another.

    A later row changes what it gives; with *keep_first* it changes nothing.
    """
    _refuse_no_mappings(spec, rows)
    merged: dict[Any, Mapping[str, Any]] = {}
    for row in rows:
        key = tuple([_hashable(row.get(name)) for name in match])
        if key in merged:
            merged[key] = merged[key] if keep_first else {**merged[key], **row}
        else:
            merged[key] = row
    kept = list(merged.values()) if len(merged) < len(rows) else rows
    return tuple([_stored(spec, group, at) for group, at in _alike(spec, kept)]), len(rows) - len(merged)


def _hashable(value: Any) -> Any:
    return repr(value) if isinstance(value, list | dict) else value


def _alike(spec: ModelSpec, rows: Sequence[Any]) -> Iterable[tuple[Rows, Sequence[int]]]:
    """Group rows that give the same fields, with their positions; most often there is one group."""
    _refuse_no_mappings(spec, rows)
    if not rows:
        return
    first = rows[0].keys()
    if all(map(eq, map(KEYS, rows), repeat(first))):
        yield rows, range(len(rows))
        return
    groups: dict[frozenset[str], list[int]] = {}
    for position, row in enumerate(rows):
        groups.setdefault(frozenset(row), []).append(position)
    for positions in groups.values():
        yield [rows[position] for position in positions], positions


def _stored(spec: ModelSpec, rows: Rows, positions: Sequence[int]) -> ops.Batch:
    """The batch of new records that *rows*, which give the same fields, describe."""
    given = rows[0].keys()
    shape = spec.settable
    missing = [name for name, field in shape.fields.items() if field.default is REQUIRED and name not in given]
    if missing or not given <= shape.fields.keys():
        _refuse_bad(spec, rows, positions, shape)
    names, columns = [], []
    for name, field in shape.fields.items():
        if name in given:
            column = _column(spec, name, rows, positions)
        elif spec.by_name[name].autoincrement:
            continue
        else:
            column = _defaults(field.default, len(rows))
        names.append(name)
        columns.append(column)
    ordered = tuple([name for name in names if name in given])
    return ops.Batch(tuple(names), [*zip(*columns, strict=True)], ordered, positions)


def _defaults(default: Any, count: int) -> list[Any]:
    return [default() for _ in range(count)] if callable(default) else [default] * count


def _column(spec: ModelSpec, name: str, rows: Rows, positions: Sequence[int]) -> list[Any]:
    """The checked values of one field of all *rows*."""
    if name not in spec.settable.fields:
        _refuse_bad(spec, rows, positions, spec.settable)
    values = [row[name] for row in rows]
    if _plainly_good(spec.by_name[name], spec.settable, values):
        return values
    shape = spec.settable
    try:
        return [shape.check_field(name, value) for value in values]
    except InvalidInputError:
        _refuse_bad(spec, rows, positions, shape)
        raise


def _plainly_good(field: FieldSpec, shape: Shape, values: list[Any]) -> bool:
    """Whether all *values* have the declared type and keep its limits, as far as that can be told at C speed."""
    test, limited_by = PLAIN.get(field.python_type), shape.limited_by(field.name)
    if test is None or limited_by == "value" or set(map(type, values)) != {field.python_type} or not test(values):
        return False
    return limited_by == "nothing" or _within(shape, field.name, values, len if limited_by == "length" else None)


def _within(shape: Shape, name: str, values: list[Any], measure: Callable[[Any], int] | None) -> bool:
    """Whether the extremes of *values* keep the limits of the field, and so all do."""
    try:
        shape.check_field(name, min(values, key=measure))
        shape.check_field(name, max(values, key=measure))
    except InvalidInputError:
        return False
    return True


PLAIN: Final[Mapping[Any, Callable[[list[Any]], bool]]] = {
    bool: lambda values: True,
    int: lambda values: min(values) >= LOW and max(values) <= HIGH,
    float: lambda values: abs(sum(values)) < float("inf"),  # not-a-number and infinity survive a sum
    str: lambda values: _plain_text("".join(values)),
}


def _plain_text(text: str) -> bool:
    return text.isascii() and "\0" not in text


def _refuse_no_mappings(spec: ModelSpec, rows: Sequence[Any]) -> None:
    if set(map(type, rows)) <= {dict}:
        return
    bad = [position for position, row in enumerate(rows) if not isinstance(row, Mapping)]
    if bad:
        problems = [Problem(f"data.{at}", "wrong_type", f"row {at} must be an object") for at in bad[:MOST_PROBLEMS]]
        raise InvalidInputError(f"{spec.name}: {problems[0].message}", problems=problems)


def _refuse_bad(spec: ModelSpec, rows: Sequence[Any], positions: Sequence[int], shape: Shape) -> None:
    """Check row by row and raise with every bad field, named by row; return if there is none."""
    problems: list[Problem] = []
    managed = set(spec.managed)
    for position, row in zip(positions, rows, strict=True):
        if isinstance(row, Mapping) and not managed.isdisjoint(row):
            name = next(name for name in row if name in managed)
            words = f"{name!r} is kept by the database and cannot be set"
            problems.append(Problem(f"data.{position}.{name}", "managed", f"row {position}: {words}"))
        try:
            shape.check(row)
        except InvalidInputError as error:
            problems += [
                Problem(f"data.{position}.{each.field}", each.code, f"row {position}: {each.message}")
                for each in error.problems
                if each.field not in managed
            ]
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        raise InvalidInputError(f"{spec.name}: {problems[0].message}", problems=problems[:MOST_PROBLEMS])
