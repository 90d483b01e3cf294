"""Reading the parameters that callers give: what every spelling of every operation needs.

Rule: nothing is ignored; a parameter that no spelling has is an error with the closest name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, TypeAlias

from dataflow.model.spec import ModelSpec
from kailash.errors import InvalidInputError, Problem, did_you_mean
from kailash.shapes import REQUIRED, Field, Shape

Given: TypeAlias = Mapping[str, Any]

POLICIES: Final = {"include_deleted": "soft_delete", "expected_version": "versioned", "as_of": "kept"}
_MOMENT: Final = Shape("as_of", [Field("as_of", datetime, REQUIRED)])


def only(spec: ModelSpec, action: str, given: Given, known: tuple[str, ...], *policies: str) -> None:
    """Refuse parameters beside the *known* ones, and those that come with policies of the model."""
    if type(given) is not dict and not isinstance(given, Mapping):  # asking an abstract class takes 0.3 us
        raise invalid(spec, "", "wrong_type", f"{action} takes an object of parameters")
    for name in given:
        if name not in known and not (name in policies and getattr(spec.options, POLICIES[name])):
            also = [each for each in policies if getattr(spec.options, POLICIES[each])]
            unknown(spec, action, str(name), (*known, *also))


def flag(spec: ModelSpec, given: Given, name: str, *, default: bool) -> bool:
    """Return a parameter that is true or false. Raises: InvalidInputError."""
    value = given.get(name, default)
    if value is True or value is False:
        return value
    raise invalid(spec, name, "wrong_type", f"{name!r} must be true or false")


def choice(spec: ModelSpec, given: Given, name: str, choices: tuple[str, ...]) -> Any:
    """Return a parameter that is one of *choices*, the first where it is not given. Raises: InvalidInputError."""
    value = given.get(name, choices[0])
    if value in choices:
        return value
    raise invalid(spec, name, "constraint", f"{name!r} must be one of {', '.join(choices)}")


def mapping(spec: ModelSpec, name: str, value: Any) -> Given:
    """Return *value*, if it is an object. Raises: InvalidInputError."""
    if isinstance(value, Mapping):
        return value
    raise invalid(spec, name, "wrong_type", f"{name!r} must be an object of fields")


def expected(spec: ModelSpec, given: Given) -> int | None:
    """Return the version that the caller knows the record to have. Raises: InvalidInputError."""
    version = given.get("expected_version")
    if version is None:
        return None
    version = number(spec, "expected_version", version)
    if given.get("id", given.get("record_id")) is None:
        raise invalid(spec, "expected_version", "constraint", "'expected_version' is of one record: give its 'id'")
    return version


def moment(spec: ModelSpec, given: Any, *, include: Collection[Any] = ()) -> datetime:
    """Return the time that an ``as_of`` says. Raises: InvalidInputError."""
    kept(spec, "as_of")
    if include:
        raise invalid(spec, "include", "constraint", "what comes along is as it is now: leave 'include' or 'as_of' out")
    try:
        found: datetime = _MOMENT.check_value("as_of", given)
    except InvalidInputError:
        raise invalid(spec, "as_of", "wrong_type", "'as_of' must be a time: 2026-11-21T12:00:00Z") from None
    return found.astimezone(UTC)


def point(spec: ModelSpec, given: Any, *, include: Collection[Any] = ()) -> datetime | int:
    """Return the time, or the version of one record, that an ``as_of`` says. Raises: InvalidInputError."""
    if isinstance(given, str) and given.isdecimal() and len(given) < 20:
        given = int(given)
    if type(given) is int:
        moment(spec, datetime.now(UTC), include=include)
        return number(spec, "as_of", given)
    return moment(spec, given, include=include)


def number(spec: ModelSpec, name: str, given: Any) -> int:
    """Return the number of a version. Raises: InvalidInputError."""
    if type(given) is not int or not 0 < given < 2**63:
        raise invalid(spec, name, "wrong_type", f"{name!r} must be the number of a version")
    return given


def kept(spec: ModelSpec, name: str) -> None:
    """Refuse *name*, which is of models whose versions are kept, of any other. Raises: InvalidInputError."""
    if not spec.options.kept:
        why = "'history' is off in __dataflow__" if spec.options.versioned else "it is not 'versioned' in __dataflow__"
        raise invalid(spec, name, "unknown_field", f"no versions of its records are kept: {why}")


def unknown(spec: ModelSpec, action: str, name: str, known: tuple[str, ...]) -> NoReturn:
    """Refuse a parameter that there is not. Raises: InvalidInputError."""
    hint = did_you_mean(name, known)
    raise invalid(spec, name, "unknown_field", f"{action} has no parameter {name!r}; {hint}")


def missing(spec: ModelSpec, field: str, sentence: str) -> NoReturn:
    """Refuse to go on without a parameter. Raises: InvalidInputError."""
    raise invalid(spec, field, "missing", sentence)


def invalid(spec: ModelSpec, field: str, code: str, sentence: str) -> InvalidInputError:
    """Return the error of one parameter."""
    return InvalidInputError(f"{spec.name}: {sentence}", problems=[Problem(field, code, sentence)])
