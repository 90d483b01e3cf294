"""Named values and their shape: what a mapping must hold, and what is said when it does not."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from kailash.errors import InvalidInputError, Problem, did_you_mean
from kailash.shapes.annotations import LimitedBy, Unfolded, unfold
from kailash.shapes.checks import compile_check, compile_item_check
from kailash.shapes.json import plain
from kailash.shapes.scalars import Check, RefusedError, name_of
from kailash.shapes.schema import schema_of
from kailash.shapes.text import read


class _Sentinel(enum.Enum):
    REQUIRED = "required"

    def __repr__(self) -> str:
        return self.name


REQUIRED: Final = _Sentinel.REQUIRED  # the default of a field that has none


class Field(msgspec.Struct, frozen=True):
    """One named value: its annotation (constraints inside ``Annotated``), and whether it may be left out.

    default: `REQUIRED` where there is none; a function makes one default a record.
    """

    name: str
    annotation: Any  # a type, Optional[...], Annotated[...]; what `typing.get_type_hints(include_extras=True)` gives
    default: Any = REQUIRED
    description: str = ""


class _Checks(dict[str, Check]):
    """The checks of a shape, each compiled when it is first needed; an unknown name is a KeyError."""

    def __init__(self, fields: Mapping[str, Field], compile_one: Callable[[Any], Check]) -> None:
        super().__init__()
        self._fields = fields
        self._compile = compile_one

    def __missing__(self, name: str) -> Check:
        check = self[name] = self._compile(self._fields[name].annotation)
        return check


class Shape:
    """Named fields; the check of a mapping against them; their JSON Schema; their reading from text."""

    def __init__(self, name: str, fields: Iterable[Field]) -> None:
        self.name = name
        self.fields: Mapping[str, Field] = {field.name: field for field in fields}
        self._required = frozenset(field.name for field in self.fields.values() if field.default is REQUIRED)
        self._checks = _Checks(self.fields, compile_check)
        self._types = _Checks(self.fields, lambda annotation: compile_check(annotation, constrained=False))
        self._items = _Checks(self.fields, compile_item_check)
        self._unfolded: dict[str, Unfolded] = {}

    def __repr__(self) -> str:
        return f"Shape({self.name!r}, {list(self.fields)})"

    def check(self, given: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
        """Return only the given fields, as their declared Python types. Defaults are not filled in.

        partial: nothing is required (an update). Raises: InvalidInputError with every bad field in ``problems``.
        """
        checks = self._checks
        values = {}
        try:
            for name, value in given.items():
                values[name] = checks[name](value)
        except (RefusedError, KeyError, AttributeError, TypeError):  # the last two: not a mapping, or keys of no use
            raise self._refusal(given, partial=partial) from None
        if partial or self._required <= values.keys():
            return values
        raise self._refusal(given, partial=partial)

    def fill(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return checked *values* with the defaults of the fields that are missing, in the order of the fields."""
        return {
            name: values[name] if name in values else field.default() if callable(field.default) else field.default
            for name, field in self.fields.items()
            if name in values or field.default is not REQUIRED
        }

    def check_value(self, field: str, value: Any) -> Any:
        """Return one value as the field's type (an operand of a filter), its limits left out.

        Limits are for what is stored: ``price > -1`` may be asked of a price that is at least 0.

        Raises: InvalidInputError.
        """
        return self._single(self._types, field, value)

    def check_field(self, field: str, value: Any) -> Any:
        """Return one value as the field's type, within its limits (what is to be stored).

        Raises: InvalidInputError.
        """
        return self._single(self._checks, field, value)

    def unconstrained(self, field: str) -> bool:
        """Whether every value of the field's Python type is acceptable, but for what no database can hold."""
        return self.limited_by(field) == "nothing"

    def limited_by(self, field: str) -> LimitedBy:
        """What decides whether a value of the field's Python type is acceptable.

        "size" (for numbers) and "length": if the least and the greatest of many are, all are. "value": each by itself.
        """
        unfolded = self.unfolded(field)
        return unfolded.rules.limited_by if isinstance(unfolded.core, type) else "value"

    def check_item(self, field: str, value: Any) -> Any:
        """Return *value* as the type of the items of a list field; of another field, as its own type.

        Raises: InvalidInputError.
        """
        return self._single(self._items, field, value)

    def read_text(self, field: str, text: str) -> Any:
        """Return *text* (of a query string, a flag, a CSV cell) as the field's type. Raises: InvalidInputError."""
        self._known(field)
        try:
            return read(self.fields[field].annotation, text)
        except RefusedError as refused:
            raise self._error([_problem(field, refused)]) from None

    def unfolded(self, field: str) -> Unfolded:
        """Return the field's annotation taken apart: core type, nullable, rules."""
        try:
            return self._unfolded[field]
        except KeyError:
            self._known(field)
            return self._unfolded.setdefault(field, unfold(self.fields[field].annotation))

    def schema(self, *, partial: bool = False) -> dict[str, Any]:
        """Return the JSON Schema object of a mapping of these fields, without ``$ref``."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: _field_schema(field) for name, field in self.fields.items()},
            "additionalProperties": False,
        }
        if self._required and not partial:
            schema["required"] = [name for name in self.fields if name in self._required]
        return schema

    def _single(self, checks: _Checks, field: str, value: Any) -> Any:
        try:
            return checks[field](value)
        except RefusedError as refused:
            raise self._error([_problem(field, refused)]) from None
        except KeyError:
            self._known(field)
            raise

    def _known(self, field: str) -> None:
        if field not in self.fields:
            raise self._error([self._unknown(field)])

    def _unknown(self, name: object) -> Problem:
        hint = did_you_mean(str(name), self.fields)
        return Problem(str(name), "unknown_field", f"{str(name)!r} is not a field" + (f" ({hint})" if hint else ""))

    def _refusal(self, given: Any, *, partial: bool) -> InvalidInputError:
        """Check again, field by field, and say everything that is wrong."""
        if not isinstance(given, Mapping):
            words = f"the values must be an object, not {name_of(given)}"
            return self._error([Problem("", "wrong_type", words)])
        problems = list(self._problems(given))
        if not partial:
            missing = [name for name in self.fields if name in self._required and name not in given]
            problems += [Problem(name, "missing", f"{name!r} is missing") for name in missing]
        return self._error(problems)

    def _problems(self, given: Mapping[Any, Any]) -> Iterator[Problem]:
        for name, value in given.items():
            if name not in self.fields:
                yield self._unknown(name)
                continue
            try:
                self._checks[name](value)
            except RefusedError as refused:
                yield _problem(name, refused)

    def _error(self, problems: list[Problem]) -> InvalidInputError:
        listed = "; ".join(problem.message for problem in problems[:MOST_LISTED])
        more = f"; and {len(problems) - MOST_LISTED} more" if len(problems) > MOST_LISTED else ""
        return InvalidInputError(f"{self.name}: {listed}{more}", problems=problems)


MOST_LISTED: Final = 10  # problems in the sentence; all of them are in ``problems``


def _problem(field: str, refused: RefusedError) -> Problem:
    path = ".".join((field, *refused.path))
    return Problem(path, refused.code, f"{path!r} {refused}")


def _field_schema(field: Field) -> dict[str, Any]:
    schema = schema_of(field.annotation)
    if field.description:
        schema["description"] = field.description
    if field.default is not REQUIRED and field.default is not None and not callable(field.default):
        schema["default"] = plain(field.default)
    return schema
