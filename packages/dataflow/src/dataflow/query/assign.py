"""What becomes of a field in an update."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

import msgspec

from kailash.errors import InvalidInputError, Problem, did_you_mean
from kailash.shapes import Shape

AssignmentOperator: TypeAlias = Literal["set", "inc", "dec", "mul"]


class Assignment(msgspec.Struct, frozen=True):
    """The new value of a field: *value* itself, or what it does to the value that is stored.

    A field without a value has none afterwards either, whatever is added to it.
    """

    operator: AssignmentOperator
    value: Any


_OPERATORS: Final[Mapping[str, AssignmentOperator]] = {"$set": "set", "$inc": "inc", "$dec": "dec", "$mul": "mul"}
_NUMBERS: Final = (int, float, Decimal)


def parse_changes(raw: Mapping[str, Any], record: Shape) -> dict[str, Assignment]:
    """Return what *raw* makes of each field: a value, or ``{"$inc": 1}``, ``{"$set": value}`` and the like.

    A mapping that is given to a field of mappings is a value, unless it is exactly one ``$`` key.
    record: the shape of what may be set. Raises: InvalidInputError with every bad field.
    """
    settled: dict[str, Any] = {}
    changes: dict[str, Assignment] = {}
    problems: list[Problem] = []
    for field, given in raw.items():
        if not isinstance(given, Mapping) or field not in record.fields or not _operates(record, field, given):
            settled[field] = given
            continue
        problem = _operate(record, field, given, settled, changes)
        problems += [problem] if problem else []
    problems = _check(record, settled, problems)
    if problems:
        listed = "; ".join(problem.message for problem in problems)
        raise InvalidInputError(f"{record.name}: {listed}", problems=problems)
    checked = record.check(settled, partial=True)
    return {field: changes.get(field) or Assignment("set", checked[field]) for field in raw}


def _operates(record: Shape, field: str, given: Mapping[str, Any]) -> bool:
    """Whether *given* says what to do with the field, and is not its value."""
    keys = list(given)
    if len(keys) == 1:
        return str(keys[0]).startswith("$")
    return record.unfolded(field).core in _NUMBERS and any(str(key).startswith("$") for key in keys)


def _operate(
    record: Shape, field: str, given: Mapping[str, Any], settled: dict[str, Any], changes: dict[str, Assignment]
) -> Problem | None:
    if len(given) != 1:
        return Problem(field, "invalid_change", f"{field!r} takes one operator, not {len(given)}")
    name, operand = next(iter(given.items()))
    operator = _OPERATORS.get(name)
    if operator is None:
        message = f"unknown operator {name!r} on {field!r}; {did_you_mean(str(name), _OPERATORS)}"
        return Problem(field, "unknown_operator", message)
    if operator == "set":
        settled[field] = operand
        return None
    core = record.unfolded(field).core
    if core not in _NUMBERS:
        return Problem(field, "invalid_change", f"{name!r} cannot be done to {field!r}, which is not a number")
    return _calculate(record, field, operator, operand, changes)


def _calculate(
    record: Shape, field: str, operator: AssignmentOperator, operand: Any, changes: dict[str, Assignment]
) -> Problem | None:
    if operand is None:
        return Problem(field, "wrong_type", f"'${operator}' of {field!r} takes a number, not null")
    if record.unfolded(field).core is int and type(operand) is float and operand.is_integer():
        operand = int(operand)  # 1.0 is the same number
    try:
        changes[field] = Assignment(operator, record.check_value(field, operand))
    except InvalidInputError as error:
        return error.problems[0]
    return None


def _check(record: Shape, settled: Mapping[str, Any], problems: list[Problem]) -> list[Problem]:
    """Return *problems* and those of the plain values, so that all are reported at once."""
    if not problems:
        return problems
    try:
        record.check(settled, partial=True)
    except InvalidInputError as error:
        return [*problems, *error.problems]
    return problems
