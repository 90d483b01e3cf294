"""What an aggregate computes from a record: fields, constants, arithmetic, cases and comparisons, read and typed.

    "price"                                             a field
    10, {"$literal": "new"}                             a constant
    {"$multiply": ["price", "stock"]}                   also $add, $subtract, $divide
    {"$case": [{"$lt": ["stock", 10]}, 1, 0]}           condition, value, condition, value, ..., else
    {"$eq": ["status", "done"]}                         also $ne $gt $gte $lt $lte, $and $or $not

Rule 1: an expression has a type before it is SQL; int and int give int (a division float), a Decimal stays one.
Rule 2: constants are kept apart, in order, so that equal expressions have equal SQL.
Rule 3: arithmetic with nothing gives nothing, as does a division by zero; a comparison with nothing is false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from dataflow.model.spec import ModelSpec
from kailash.errors import InvalidInputError, Problem, did_you_mean

NUMBERS: Final = (int, float, Decimal)
MAX_DEPTH: Final = 32  # levels; that of filters
MAX_PARTS: Final = 500  # fields, constants and operators of one aggregate; that of filters


class Column(msgspec.Struct, frozen=True):
    """A field of the record."""

    field: str
    kind: Any  # its Python type


class Constant(msgspec.Struct, frozen=True):
    """A value, by its place among the constants; compared with *field*, whose column type it has."""

    place: int
    kind: Any
    field: str = ""


class Call(msgspec.Struct, frozen=True):
    """An operator and what it is applied to. "decimal": the number as a Decimal."""

    operator: str
    parts: tuple[Expression, ...]
    kind: Any


Expression: TypeAlias = Column | Constant | Call

COMPARISONS: Final = ("eq", "ne", "gt", "gte", "lt", "lte")


class Reader:
    """Reads the expressions of one aggregate; ``constants`` are theirs."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self.constants: list[Any] = []
        self._parts = 0

    def read(self, raw: Any, where: str, depth: int = 0) -> Expression:
        """Return the expression that *raw* is; *where* names it in errors. Raises: InvalidInputError."""
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise self.refusal(where, "out_of_range", "the expression is too large")
        if isinstance(raw, str):
            return self._column(raw, where)
        if not isinstance(raw, Mapping):
            return self._constant(raw, where)
        if len(raw) != 1:
            raise self.refusal(where, "wrong_type", 'an expression has one operator, like {"$multiply": [...]}')
        operator, operands = next(iter(raw.items()))
        read = _READERS.get(str(operator))
        if read is None:
            hint = did_you_mean(str(operator), _READERS)
            raise self.refusal(where, "unknown_operator", f"{operator!r} is no operator of an expression ({hint})")
        return read(self, str(operator)[1:], operands, f"{where}.{operator}", depth + 1)

    def refusal(self, where: str, code: str, sentence: str) -> InvalidInputError:
        """Return the error of something at *where*."""
        return InvalidInputError(
            f"{self._spec.name}: {where}: {sentence}", problems=[Problem(where, code, f"{where}: {sentence}")]
        )

    def _column(self, name: str, where: str) -> Column:
        field = self._spec.by_name.get(name)
        if field is None:
            hint = did_you_mean(name, self._spec.by_name)
            raise self.refusal(where, "unknown_field", f"{name!r} is not a field ({hint})")
        return Column(name, field.python_type)

    def _constant(self, value: Any, where: str, field: str = "") -> Constant:
        kind = type(value)
        if not field:
            if kind not in (*NUMBERS, bool, str):
                raise self.refusal(where, "wrong_type", "a constant is a number, a text or true or false")
            infinite = not value.is_finite() if kind is Decimal else kind is float and value - value != 0
            if infinite or (kind is int and not -(2**63) <= value < 2**63):
                raise self.refusal(where, "out_of_range", "the constant is no number that a database holds")
        else:
            kind = self._spec.by_name[field].python_type
        self.constants.append(value)
        return Constant(len(self.constants) - 1, kind, field)

    # -- operators

    def _literal(self, operator: str, operands: Any, where: str, depth: int) -> Expression:
        return self._constant(operands, where)

    def _arithmetic(self, operator: str, operands: Any, where: str, depth: int) -> Expression:
        most = 2 if operator in ("subtract", "divide") else MAX_PARTS
        parts = [self.number(each, where, depth) for each in self._several(operands, where, 2, most)]
        result = parts[0]
        for part in parts[1:]:
            one, other = self._alike(result, part, where)
            kind = float if operator == "divide" and one.kind is int and other.kind is int else _wider(one, other)
            result = Call(operator, (one, other), kind)
        return result

    def _case(self, operator: str, operands: Any, where: str, depth: int) -> Expression:
        parts = self._several(operands, where, 3, MAX_PARTS)
        if len(parts) % 2 == 0:
            raise self.refusal(where, "wrong_type", "$case takes condition, value, ..., and the value of all else")
        tests = [self._truth(each, where, depth) for each in parts[:-1:2]]
        values = [self.read(each, where, depth) for each in (*parts[1::2], parts[-1])]
        values = self._all_alike(values, where)
        kind = float if any(each.kind is float for each in values) else values[0].kind
        pairs = [part for pair in zip(tests, values, strict=False) for part in pair]
        return Call("case", (*pairs, values[-1]), kind)

    def _comparison(self, operator: str, operands: Any, where: str, depth: int) -> Expression:
        one, other = self._several(operands, where, 2, 2)
        first = self.read(one, where, depth)
        if isinstance(first, Column) and (not isinstance(other, str | Mapping) or self._is_text(first, other)):
            value = self._spec.record.check_value(first.field, other)
            if value is None:
                raise self.refusal(where, "wrong_type", "nothing can be compared with null")
            return Call(operator, (first, self._constant(value, where, first.field)), bool)
        second = self.read(other, where, depth)
        return Call(operator, self._alike(first, second, where), bool)

    def _is_text(self, column: Column, other: Any) -> bool:
        """Whether a text beside a field is a value of it, and not another field."""
        return isinstance(other, str) and other not in self._spec.by_name and column.kind not in NUMBERS

    def _logic(self, operator: str, operands: Any, where: str, depth: int) -> Expression:
        least, most = (1, 1) if operator == "not" else (1, MAX_PARTS)
        given = [operands] if operator == "not" and isinstance(operands, Mapping | str) else operands
        parts = [self._truth(each, where, depth) for each in self._several(given, where, least, most)]
        return Call(operator, tuple(parts), bool)

    # -- types

    def number(self, raw: Any, where: str, depth: int = 0) -> Expression:
        """Return the expression that *raw* is, a number. Raises: InvalidInputError."""
        found = self.read(raw, where, depth)
        if found.kind not in NUMBERS:
            raise self.refusal(where, "wrong_type", f"{_named(found)} is no number")
        return found

    def _truth(self, raw: Any, where: str, depth: int) -> Expression:
        found = self.read(raw, where, depth)
        if found.kind is not bool:
            raise self.refusal(where, "wrong_type", f"{_named(found)} is no condition")
        return found

    def _several(self, operands: Any, where: str, least: int, most: int) -> Sequence[Any]:
        if isinstance(operands, str) or not isinstance(operands, Sequence) or not least <= len(operands) <= most:
            number = f"{least}" if least == most else f"{least} or more"
            raise self.refusal(where, "wrong_type", f"it takes a list of {number}")
        return operands

    def _all_alike(self, values: list[Expression], where: str) -> list[Expression]:
        for at in range(1, len(values)):
            values[0], values[at] = self._alike(values[0], values[at], where)
        return [self._alike(values[0], each, where)[1] for each in values]

    def _alike(self, one: Expression, other: Expression, where: str) -> tuple[Expression, Expression]:
        """Both in types that can be calculated with and compared."""
        kinds = {one.kind, other.kind}
        if Decimal in kinds and len(kinds) == 2 and kinds <= {*NUMBERS}:
            return self._decimal(one, where), self._decimal(other, where)
        if len(kinds) == 1 or kinds == {int, float}:
            return one, other
        raise self.refusal(where, "wrong_type", f"{_named(one)} and {_named(other)} do not go together")

    def _decimal(self, part: Expression, where: str) -> Expression:
        if part.kind is Decimal:
            return part
        if isinstance(part, Constant):
            self.constants[part.place] = Decimal(str(self.constants[part.place]))
            return Constant(part.place, Decimal)
        if part.kind is float:
            raise self.refusal(
                where, "wrong_type", f"{_named(part)} is a float, which is never exact, beside a Decimal"
            )
        return Call("decimal", (part,), Decimal)


def _wider(one: Expression, other: Expression) -> Any:
    return float if float in (one.kind, other.kind) else one.kind


def _named(part: Expression) -> str:
    match part:
        case Column():
            return f"{part.field!r}"
        case Call():
            return f"the result of ${part.operator}"
        case _:
            return "the constant"


_READERS: Final[Mapping[str, Callable[[Reader, str, Any, str, int], Expression]]] = {
    **dict.fromkeys(("$multiply", "$add", "$subtract", "$divide"), Reader._arithmetic),
    **dict.fromkeys((f"${name}" for name in COMPARISONS), Reader._comparison),
    **dict.fromkeys(("$and", "$or", "$not"), Reader._logic),
    "$case": Reader._case,
    "$literal": Reader._literal,
}
