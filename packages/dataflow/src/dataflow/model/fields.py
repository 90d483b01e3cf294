"""What a class says of its attributes: their annotations and their defaults, whichever library wrote them.

Plain classes, dataclasses, msgspec Structs and pydantic models are read alike. None of those libraries but
msgspec is imported: a ``Field`` is known by its class name and its attributes.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from dataflow.errors import ModelError
from kailash.shapes import REQUIRED


class Attribute(msgspec.Struct, frozen=True):
    """One annotated attribute: its annotation (with what a ``Field`` adds), its default or `REQUIRED`."""

    name: str
    annotation: Any
    default: Any = REQUIRED
    factory: Any = None  # a function of no arguments that makes the default


def attributes(cls: type) -> list[Attribute]:
    """Return the annotated attributes of *cls* and its bases, bases first; class variables left out.

    Raises: ModelError where an annotation names nothing.
    """
    described = _described(cls)
    return [
        _attribute(name, hint, described.get(name, vars_of(cls, name)))
        for name, hint in _hints(cls).items()
        if not _is_dunder(name) and not _is_class_variable(hint)
    ]


def vars_of(cls: type, name: str) -> Any:
    """Return what the class or a base says for *name*, unbound; `REQUIRED` where none does."""
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return REQUIRED


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, localns=_enclosing(cls), include_extras=True)
    except NameError as cause:
        raise ModelError(
            f"an annotation of model {cls.__name__} names {cause.name!r}, which is not defined",
            hint="import it in the module of the model, outside TYPE_CHECKING",
        ) from cause
    except (TypeError, SyntaxError) as cause:
        raise ModelError(f"an annotation of model {cls.__name__} is no type: {cause}") from cause


def _enclosing(cls: type) -> dict[str, Any] | None:
    """Return the local names of the function that *cls* is being declared in, where its annotations are text."""
    path = cls.__qualname__.split(".")
    if "<locals>" not in path:
        return None
    function = path[len(path) - 2 - path[::-1].index("<locals>")]
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != function:
        frame = frame.f_back
    return {**frame.f_locals, cls.__name__: cls} if frame is not None else None


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_class_variable(hint: Any) -> bool:
    return hint is typing.ClassVar or typing.get_origin(hint) is typing.ClassVar


def _described(cls: type) -> Mapping[str, Any]:
    """Return the descriptions of fields that a library has taken out of the class body."""
    if msgspec.inspect.is_struct_type(cls):
        return {field.name: field for field in msgspec.structs.fields(cls)}
    for place in ("__dataclass_fields__", "__pydantic_fields__"):
        if isinstance(found := getattr(cls, place, None), Mapping):
            return found
    return {}


def _attribute(name: str, hint: Any, said: Any) -> Attribute:
    """Put together an annotation and what stands in the class body."""
    for mark in reversed(getattr(hint, "__metadata__", ())):
        if _describes(mark):
            default, factory = _default_of(mark)
            if said is REQUIRED and (default is not REQUIRED or factory is not None):
                return Attribute(name, hint, default, factory)
    if isinstance(said, types.MemberDescriptorType):  # __slots__
        return Attribute(name, hint)
    if not _describes(said):
        return Attribute(name, hint, getattr(said, "__func__", said))
    default, factory = _default_of(said)
    annotated = Annotated[hint, said] if type(said).__name__ == "FieldInfo" else hint
    return Attribute(name, annotated, default, factory)


def _describes(mark: Any) -> bool:
    """Whether *mark* is a ``Field`` of dataclasses, pydantic or msgspec."""
    kinds = ("Field", "FieldInfo")
    return type(mark).__name__ in kinds and hasattr(mark, "default") and hasattr(mark, "default_factory")


def _default_of(field: Any) -> tuple[Any, Any]:
    default, factory = field.default, field.default_factory
    return (REQUIRED if _missing(default) else default), (None if _missing(factory) else factory)


def _missing(value: Any) -> bool:
    """Whether *value* is how some library says that there is none."""
    kind = type(value).__name__
    return value is ... or kind in ("_MISSING_TYPE", "PydanticUndefinedType", "NoDefaultType")
