"""Values to a terminal or a pipe: a table, or JSON. A terminal gets its tables from `dataflow.cli.terminal`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

import msgspec

from dataflow.cli import terminal
from kailash import shapes

FORMATS: Final = ("json", "table")
GAP: Final = "  "  # between two columns
LONGEST: Final = 72  # characters of a cell of a table


def records(stream: TextIO, form: str, found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write a list: a JSON array, or a line for each record under the names of *columns*."""
    if form == "json":
        stream.write(_json([*found]))
        return
    if terminal.table(stream, columns, [[plain(record.get(column)) for column in columns] for record in found]):
        return
    lines = [[*columns], *[[cell(record.get(column)) for column in columns] for record in found]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        words = [word.ljust(width) for word, width in zip(line, widths, strict=True)]
        stream.write(GAP.join(words).rstrip() + "\n")


def record(stream: TextIO, form: str, found: Mapping[str, Any]) -> None:
    """Write one thing: a JSON object, or a line for each of its entries."""
    if form == "json":
        stream.write(_json(dict(found)))
        return
    if terminal.table(stream, ("", ""), [[name, plain(value)] for name, value in found.items()]):
        return
    widest = max(map(len, found), default=0)
    for name, value in found.items():
        stream.write(f"{name.ljust(widest)}{GAP}{cell(value)}".rstrip() + "\n")


def cell(value: Any) -> str:
    """Return *value* as `plain` does, cut where it is long."""
    word = plain(value)
    return word if len(word) <= LONGEST else word[: LONGEST - 1] + "…"


def plain(value: Any) -> str:
    """Return *value* in one line for a person; no control character of it reaches a terminal."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            word = value
        case int() | float():
            word = repr(value)
        case list() | tuple():
            word = ", ".join(map(plain, value))
        case _:
            word = shapes.encode_json(value).decode()
    return "".join(each if each.isprintable() else " " for each in word)


def _json(value: Any) -> str:
    return msgspec.json.format(shapes.encode_json(value), indent=2).decode() + "\n"
