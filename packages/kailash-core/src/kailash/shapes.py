"""Shapes: what values must look like, checked once, by msgspec.

(contract; the body is being written)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

REQUIRED: Final = msgspec.NODEFAULT


class Field(msgspec.Struct, frozen=True):
    """One named value: its annotation (constraints inside ``Annotated``), and whether it may be left out."""

    name: str
    annotation: Any  # a type, Optional[...], Annotated[...]; what `typing.get_type_hints(include_extras=True)` gives
    default: Any = REQUIRED
    description: str = ""


class Shape:
    """Named fields; the check of a mapping against them; their JSON Schema; their reading from text."""

    def __init__(self, name: str, fields: Iterable[Field]) -> None: ...

    name: str
    fields: Mapping[str, Field]

    def check(self, given: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
        """Return only the given fields, as their declared Python types. Defaults are not filled in.

        partial: nothing is required (an update). Raises: InvalidInputError with every bad field in ``problems``.
        """
        raise NotImplementedError

    def check_value(self, field: str, value: Any) -> Any:
        """Return one value as the field's type (an operand of a filter). Raises: InvalidInputError."""
        raise NotImplementedError

    def read_text(self, field: str, text: str) -> Any:
        """Return *text* (of a query string, a flag, a CSV cell) as the field's type. Raises: InvalidInputError."""
        raise NotImplementedError

    def schema(self, *, partial: bool = False) -> dict[str, Any]:
        """Return the JSON Schema object of a mapping of these fields, without ``$ref``."""
        raise NotImplementedError
