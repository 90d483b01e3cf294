"""Records of a file: CSV with a header, a JSON array, or one JSON object a line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final

from kailash.errors import InvalidInputError
from kailash.shapes import Shape, decode_json


def records(path: str | PathLike[str], shape: Shape) -> list[Mapping[str, Any]]:
    """Return the records of the file at *path*, by its ending; an empty CSV cell is a field left out.

    Raises: InvalidInputError for another ending, or a CSV column that is no field; MalformedJSONError.
    """
    file = Path(path)
    try:
        read = READERS[file.suffix.lower()]
    except KeyError:
        endings = ", ".join(READERS)
        raise InvalidInputError(f"cannot import a file that ends in {file.suffix!r}", hint=f"use {endings}") from None
    return read(file, shape)


def _csv(file: Path, shape: Shape) -> list[Mapping[str, Any]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return [
            {name: shape.read_text(name, cell) for name, cell in row.items() if cell not in ("", None)}
            for row in csv.DictReader(lines)
        ]


def _json(file: Path, shape: Shape) -> list[Mapping[str, Any]]:
    found = decode_json(file.read_bytes())
    return found if isinstance(found, list) else [found]


def _ndjson(file: Path, shape: Shape) -> list[Mapping[str, Any]]:
    return [decode_json(line) for line in file.read_bytes().splitlines() if line.strip()]


READERS: Final[Mapping[str, Callable[[Path, Shape], list[Mapping[str, Any]]]]] = {
    ".csv": _csv,
    ".json": _json,
    ".ndjson": _ndjson,
    ".jsonl": _ndjson,
}
