"""The parameters of a node that is written in Python: what its annotations say, checked one by one.

Unlike a record, an input of a node may be any Python value: a list of rows with dates and decimals passes a
parameter that is annotated ``list``; only what the annotation says is checked.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kailash.shapes import REQUIRED, Check, Field, RefusedError, Shape, compile_check, unfold

FREE: Final = (Any, object, None)
ABSTRACT: Final[dict[Any, Any]] = {
    Mapping: Mapping,
    Sequence: Sequence,
    Iterable: Iterable,
    list: (list, tuple),
    tuple: (list, tuple),
}


class Parameters:
    """Named parameters; the check of each; their JSON Schema."""

    __slots__ = ("fields", "name", "required")

    def __init__(self, name: str, fields: Iterable[Field]) -> None:
        self.name = name
        self.fields: Mapping[str, Field] = {field.name: field for field in fields}
        self.required = frozenset(field.name for field in self.fields.values() if field.default is REQUIRED)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema object of the parameters."""
        return Shape(self.name, [_describable(field) for field in self.fields.values()]).schema()

    def check_of(self, name: str) -> Check | None:
        """Return the check of one parameter, or None when any value will do.

        A check returns the value as declared and raises `kailash.shapes.RefusedError`.
        """
        field = self.fields.get(name)
        return None if field is None else _check(field.annotation)


def _check(annotation: Any) -> Check | None:
    unfolded = unfold(annotation)
    if unfolded.core in FREE or isinstance(unfolded.core, str | typing.TypeVar):
        return None
    if not _loose(unfolded.core):
        return compile_check(annotation)
    outer = typing.get_origin(unfolded.core) or unfolded.core
    if not isinstance(outer, type):
        return None
    return _container(ABSTRACT.get(outer, outer), outer.__name__, nullable=unfolded.nullable)


def _container(kinds: Any, word: str, *, nullable: bool) -> Check:
    def check(value: Any) -> Any:
        if isinstance(value, kinds) or (nullable and value is None):
            return value
        raise RefusedError("wrong_type", f"must be a {word}, not {type(value).__name__}")

    return check


def _loose(core: Any) -> bool:
    """Whether anything goes somewhere inside, so that only the outermost container can be checked."""
    origin, arguments = typing.get_origin(core) or core, typing.get_args(core)
    if origin is typing.Literal:
        return False
    if origin in (list, dict, tuple, set, frozenset, Mapping, Sequence, Iterable) and not arguments:
        return True
    if origin in (Mapping, Sequence, Iterable, frozenset):
        return True
    return any(each in FREE[:2] or _loose(each) for each in arguments if each is not ...)


def _describable(field: Field) -> Field:
    """The same field with an annotation and a default that JSON Schema can describe."""
    default = field.default
    if default is not REQUIRED and not isinstance(default, str | int | float | bool | None):
        default = None
    return Field(field.name, _described(field.annotation), default, field.description)


def _described(annotation: Any) -> Any:
    core = typing.get_origin(unfold(annotation).core) or unfold(annotation).core
    if core is Mapping:
        return dict
    if core in (Sequence, Iterable):
        return list
    return annotation if isinstance(core, type) or typing.get_args(annotation) else Any
