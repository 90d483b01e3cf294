"""Outcomes of reads as bytes and back, their values with the types that they were declared with.

Rule 1: nothing that is read can run: what a server holds may be anybody's.
Rule 2: what cannot be packed exactly is not packed; it is not kept.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops


def _span(text: str) -> timedelta:
    days, seconds, microseconds = map(int, text.split())
    return timedelta(days, seconds, microseconds)


NATIVE: Final = frozenset({str, int, float, bool, type(None), bytes})
# type -> (code of the MessagePack extension, to bytes, from bytes)
EXTENSIONS: Final[Mapping[type, tuple[int, Callable[[Any], str], Callable[[str], Any]]]] = {
    Decimal: (1, str, Decimal),
    datetime: (2, datetime.isoformat, datetime.fromisoformat),
    date: (3, date.isoformat, date.fromisoformat),
    time: (4, time.isoformat, time.fromisoformat),
    timedelta: (5, lambda span: f"{span.days} {span.seconds} {span.microseconds}", _span),
    UUID: (6, str, UUID),
}
_READERS: Final = {code: read for code, _, read in EXTENSIONS.values()}


class UnpackedError(Exception):
    """Bytes that are no outcome of this operation."""


class Packer:
    """Packs the outcomes of reads of one model."""

    def __init__(self, spec: ModelSpec) -> None:
        self._enums = {f.name: f.python_type for f in spec.fields if _is_enum(f.python_type)}
        self._nested = {f.name: f.annotation for f in spec.fields if f.python_type in (dict, list)}
        self._decoder = msgspec.msgpack.Decoder(ext_hook=_extension)

    def pack(self, operation: Any, outcome: Any) -> bytes | None:
        """Return *outcome* as bytes; None where it cannot be."""
        enums, nested = self._fields(operation)
        try:
            match outcome:
                case ops.Listing():
                    rows = [_packed(each, enums, nested) for each in outcome.records]
                    content: Any = [rows, outcome.next, outcome.total]
                case list():
                    content = [_packed(each, enums, nested) for each in outcome]
                case dict():
                    content = _packed(outcome, enums, nested)
                case _:
                    content = outcome
            return msgspec.msgpack.encode(content)
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
            return None

    def unpack(self, operation: Any, packed: bytes) -> Any:
        """Return the outcome of *operation* that was packed. Raises: UnpackedError."""
        enums, nested = self._fields(operation)
        try:
            content = self._decoder.decode(packed)
            match operation:
                case ops.List():
                    rows, next_, total = content
                    return ops.Listing([_unpacked(each, enums, nested) for each in rows], next_, total)
                case ops.Aggregate():
                    return [_unpacked(each, enums, nested) for each in content]
                case _:
                    return _unpacked(content, enums, nested) if isinstance(content, dict) else content
        except (TypeError, ValueError, AttributeError, ArithmeticError, msgspec.MsgspecError) as fault:
            raise UnpackedError from fault

    def _fields(self, operation: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the enums and the nested values by their names in the outcome."""
        if not isinstance(operation, ops.Aggregate):
            return self._enums, self._nested
        groups = {group.name: group.field for group in operation.groups if not group.unit}
        return {name: self._enums[field] for name, field in groups.items() if field in self._enums}, {}


def _packed(record: Mapping[str, Any], enums: Mapping[str, Any], nested: Mapping[str, Any]) -> dict[str, Any]:
    made = {}
    for name, value in record.items():
        kind = type(value)
        if kind in NATIVE:
            made[name] = value
        elif (extension := EXTENSIONS.get(kind)) is not None:
            code, write, _ = extension
            made[name] = msgspec.msgpack.Ext(code, write(value).encode())
        elif name in enums:
            made[name] = value.value
        elif name in nested:
            made[name] = msgspec.to_builtins(value)
        else:
            raise TypeError(f"a {kind.__name__} cannot be packed")
    return made


def _unpacked(record: dict[str, Any], enums: Mapping[str, Any], nested: Mapping[str, Any]) -> dict[str, Any]:
    for name, kind in enums.items():
        if record.get(name) is not None:
            record[name] = kind(record[name])
    for name, annotation in nested.items():
        if record.get(name) is not None:
            record[name] = msgspec.convert(record[name], annotation, strict=False)
    return record


def _extension(code: int, content: memoryview) -> Any:
    if code not in _READERS:
        raise ValueError(f"nothing is packed as {code}")
    return _READERS[code](bytes(content).decode())


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)
