"""Annotation -> a function that returns a value as its declared Python type, or refuses it, at any depth."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from kailash.shapes.annotations import NAIVE, UNIONS, Unfolded, unfold
from kailash.shapes.json import MAX_DEPTH
from kailash.shapes.limits import limit, limits_of
from kailash.shapes.scalars import (
    SCALARS,
    WORDS,
    Check,
    RefusedError,
    anything,
    float_,
    int_,
    naive_datetime,
    name_of,
    text,
    wrong,
)


def compile_check(annotation: Any, *, constrained: bool = True) -> Check:
    """Return the check of *annotation*; with *constrained* false its limits (length, range) are left out."""
    unfolded = unfold(annotation)
    check = _core(unfolded, constrained=constrained)
    if constrained and (limits := limits_of(unfolded.rules)):
        check = limit(check, limits)
    return _nullable(check) if unfolded.nullable else check


def compile_item_check(annotation: Any) -> Check:
    """Return the check of one item of a list annotation; of any other annotation, of its value; without limits."""
    core = unfold(annotation).core
    if (typing.get_origin(core) or core) not in (list, set, tuple):
        return compile_check(annotation, constrained=False)
    arguments = typing.get_args(core)
    if not arguments or arguments[0] is Any:
        return json_value
    return compile_check(arguments[0], constrained=False)


def _core(unfolded: Unfolded, *, constrained: bool) -> Check:
    core = unfolded.core
    if core is datetime:
        return naive_datetime if unfolded.rules.zone == NAIVE else SCALARS[datetime]
    if isinstance(core, type) and (check := SCALARS.get(core)):
        return check
    origin = typing.get_origin(core)
    if origin in UNIONS:
        return _union(typing.get_args(core), constrained=constrained)
    if origin is typing.Literal:
        return _literal(typing.get_args(core))
    if container := CONTAINERS.get(origin or core):
        return container(typing.get_args(core), constrained=constrained)
    if isinstance(core, type) and issubclass(core, enum.Enum):
        return _enum(core)
    return _instance(core)


def _nullable(check: Check) -> Check:
    def nullable(value: Any) -> Any:
        return None if value is None else check(value)

    return nullable


def json_value(value: Any, depth: int = 0) -> Any:
    """Return a copy of *value*, which must be made of what JSON has, and nothing that a database would change."""
    if value is None or value is True or value is False:
        return value
    if depth > MAX_DEPTH:
        raise RefusedError("out_of_range", f"must not be nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return int_(value)
    if isinstance(value, float):
        return float_(value)
    if isinstance(value, Mapping):
        return {_key(key): _within(key, item, depth) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_within(index, item, depth) for index, item in enumerate(value)]
    raise RefusedError("wrong_type", f"must be a JSON value, not {name_of(value)}")


def _within(step: object, value: Any, depth: int) -> Any:
    try:
        return json_value(value, depth + 1)
    except RefusedError as refused:
        raise refused.inside(step) from None


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise RefusedError("wrong_type", f"must have text as keys, not {name_of(key)}")
    return text(key)


def _list(arguments: tuple[Any, ...], *, constrained: bool) -> Check:
    check = _items(arguments[:1], constrained=constrained)
    return lambda value: check(value) if isinstance(value, list | tuple) else wrong(list, value)


def _set(arguments: tuple[Any, ...], *, constrained: bool) -> Check:
    check = _items(arguments[:1], constrained=constrained)

    def unique(value: Any) -> set[Any]:
        return set(check(value)) if isinstance(value, list | tuple | set | frozenset) else wrong(set, value)

    return unique


def _tuple(arguments: tuple[Any, ...], *, constrained: bool) -> Check:
    if len(arguments) == 2 and arguments[1] is ...:
        alike = _list(arguments, constrained=constrained)
        return lambda value: tuple(alike(value))
    checks = [compile_check(argument, constrained=constrained) for argument in arguments]
    free = _list((), constrained=constrained)

    def fixed(value: Any) -> tuple[Any, ...]:
        items = free(value)
        if checks and len(items) != len(checks):
            raise RefusedError("constraint", f"must have {len(checks)} items")
        if not checks:
            return tuple(items)
        return tuple(_at(index, check, item) for index, (check, item) in enumerate(zip(checks, items, strict=True)))

    return fixed


def _items(arguments: tuple[Any, ...], *, constrained: bool) -> Check:
    if not arguments or arguments[0] is Any:
        return lambda value: [_within(index, item, 0) for index, item in enumerate(value)]
    check = compile_check(arguments[0], constrained=constrained)

    def items(value: Any) -> list[Any]:
        try:
            return [check(item) for item in value]
        except RefusedError:
            return [_at(index, check, item) for index, item in enumerate(value)]

    return items


def _at(step: object, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except RefusedError as refused:
        raise refused.inside(step) from None


def _dict(arguments: tuple[Any, ...], *, constrained: bool) -> Check:
    if len(arguments) < 2 or (arguments[0] is str and arguments[1] is Any):
        return lambda value: json_value(value) if isinstance(value, Mapping) else wrong(dict, value)
    key, item = (compile_check(argument, constrained=constrained) for argument in arguments)

    def entries(value: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            wrong(dict, value)
        return {_at(name, key, name): _at(name, item, each) for name, each in value.items()}

    return entries


def _one_of(values: Any) -> str:
    listed = [repr(value) for value in values]
    return ", ".join(listed[:12]) + (", ..." if len(listed) > 12 else "")


def _literal(values: tuple[Any, ...]) -> Check:
    known = {(type(value), value): value for value in values}
    words = f"must be one of {_one_of(values)}"

    def literal(value: Any) -> Any:
        try:
            return known[type(value), value]
        except (KeyError, TypeError):  # TypeError: cannot be hashed
            pass
        if isinstance(value, str) and (str, value) in known:
            return str.__str__(value)
        raise RefusedError("constraint" if any(type(value) is kind for kind, _ in known) else "wrong_type", words)

    return literal


def _enum(kind: type[enum.Enum]) -> Check:
    words = f"must be one of {_one_of(member.value for member in kind)}"
    kinds = {type(member.value) for member in kind}

    def member(value: Any) -> enum.Enum:
        if isinstance(value, kind):
            return value
        if isinstance(value, bool) and bool not in kinds:
            raise RefusedError("wrong_type", words)
        try:
            return kind(value)
        except ValueError:
            raise RefusedError("constraint" if type(value) in kinds else "wrong_type", words) from None

    return member


def _union(members: tuple[Any, ...], *, constrained: bool) -> Check:
    checks = [compile_check(member, constrained=constrained) for member in members]
    exact = {member: check for member, check in zip(members, checks, strict=True) if isinstance(member, type)}
    words = " or ".join(WORDS.get(unfold(member).core, str(member)) for member in members)

    def union(value: Any) -> Any:
        if check := exact.get(type(value)):
            return check(value)
        for check in checks:
            try:
                return check(value)
            except RefusedError:
                continue
        raise RefusedError("wrong_type", f"must be {words}, not {name_of(value)}")

    return union


def _instance(core: Any) -> Check:
    """Any other class: its instances; what msgspec can build (a Struct, a dataclass, a TypedDict), from an object."""
    if not isinstance(core, type):
        return anything
    if msgspec.inspect.is_struct_type(core) or hasattr(core, "__dataclass_fields__") or typing.is_typeddict(core):
        return _built(core)
    return lambda value: value if isinstance(value, core) else wrong(f"a {core.__name__}", value)


def _built(core: Any) -> Check:
    plain_dict = typing.is_typeddict(core)

    def built(value: Any) -> Any:
        if not plain_dict and isinstance(value, core):
            return value
        try:
            return msgspec.convert(value, core)
        except msgspec.ValidationError as cause:
            reason = str(cause)
            raise RefusedError("wrong_type", f"must be a {core.__name__}: {reason[:1].lower()}{reason[1:]}") from cause

    return built


CONTAINERS: Final[dict[Any, Callable[..., Check]]] = {
    list: _list, dict: _dict, tuple: _tuple, set: _set,
}  # fmt: skip
