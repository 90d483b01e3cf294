"""Records from a file or a pipe: JSON, one JSON value a line, or CSV.

Rule: what `nexus <plural> list` writes, this reads back. A cell of a CSV file is text that the field's type reads; an
empty cell is a field that was not given.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, TypeAlias

from kailash import shapes
from kailash.errors import InvalidInputError, KailashError, Kind, Problem
from nexus.channels.cli.formats import Format

STDIN = "-"
FORMATS = (Format.JSON, Format.NDJSON, Format.CSV)
WRAPPERS = ("items", "records", "data")  # keys under which a JSON object may hold its records
SUFFIXES: Mapping[str, Format] = {
    ".json": Format.JSON,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".csv": Format.CSV,
}

ReadRow: TypeAlias = Callable[[Mapping[str, str]], dict[str, Any]]


class NoSuchFileError(KailashError):
    """The file cannot be read."""

    kind = Kind.INVALID
    code = "no_such_file"


class MalformedFileError(KailashError):
    """The file is not what its name or its option says it is."""

    kind = Kind.MALFORMED
    code = "malformed_file"


def read_records(path: str, form: Format | None, read_row: ReadRow) -> list[Any]:
    """Return the records of the file at *path*, or of standard input for ``-``.

    form: None to go by the suffix, and without one by the first character. read_row: text cells -> values.
    Raises: NoSuchFileError; MalformedFileError; MalformedJSONError; InvalidInputError with the bad cells.
    """
    content = read_bytes(path)
    suffix = PurePath(path).suffix.lower()
    path = "standard input" if path == STDIN else path
    match form or SUFFIXES.get(suffix) or _guess(content):
        case Format.CSV:
            return _read_csv(path, content, read_row)
        case Format.NDJSON:
            return _read_lines(path, content)
        case _:
            return _records(path, shapes.decode_json(content))


def read_bytes(path: str) -> bytes:
    """Return what is in the file at *path*, or on standard input for ``-``. Raises: NoSuchFileError."""
    if path == STDIN:
        return sys.stdin.buffer.read().removeprefix(b"\xef\xbb\xbf")
    try:
        with open(path, "rb") as file:
            return file.read().removeprefix(b"\xef\xbb\xbf")
    except OSError as fault:
        raise NoSuchFileError(f"{path} cannot be read: {fault.strerror}") from fault


def read_text(path: str) -> str:
    """Return the UTF-8 text of the file at *path*. Raises: NoSuchFileError; MalformedFileError."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as fault:
        raise MalformedFileError("the text is not UTF-8") from fault


def _guess(content: bytes) -> Format:
    start = content.lstrip()[:1]
    if start == b"[":
        return Format.JSON
    if start != b"{":
        return Format.CSV
    head = content.lstrip().partition(b"\n")[0].rstrip()
    return Format.NDJSON if head.endswith(b"}") and not head.startswith(b'{"items"') else Format.JSON


def _records(path: str, found: Any) -> list[Any]:
    if isinstance(found, dict):
        found = next((found[key] for key in WRAPPERS if isinstance(found.get(key), list)), [found])
    if not isinstance(found, list):
        raise MalformedFileError(f"{path} holds no records", hint="give a JSON array of objects")
    return found


def _read_lines(path: str, content: bytes) -> list[Any]:
    records = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                records.append(shapes.decode_json(line))
            except KailashError as fault:
                raise type(fault)(f"{path}, line {number}: {fault.message}", hint=fault.hint) from fault
    return records


def _read_csv(path: str, content: bytes, read_row: ReadRow) -> list[Any]:
    try:
        text = content.decode("utf-8")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header, *rows = [row for row in reader if row] or [[]]
    except UnicodeDecodeError as fault:
        raise MalformedFileError(f"{path} is not UTF-8 text") from fault
    except csv.Error as fault:
        raise MalformedFileError(f"{path} is no CSV file: {fault}") from fault
    _check_header(path, header)
    return _typed(path, header, rows, read_row)


def _check_header(path: str, header: list[str]) -> None:
    doubled = {name for name in header if header.count(name) > 1}
    if not header or not all(header) or doubled:
        named = f"; twice: {', '.join(sorted(doubled))}" if doubled else ""
        raise MalformedFileError(f"{path} does not begin with the names of its columns{named}")


def _typed(path: str, header: list[str], rows: list[list[str]], read_row: ReadRow) -> list[Any]:
    records: list[Any] = []
    problems: list[Problem] = []
    for index, row in enumerate(rows):
        if len(row) != len(header):
            message = f"row {index} has {len(row)} cells, the header {len(header)}"
            problems.append(Problem(str(index), "malformed_row", message))
            continue
        try:
            records.append(read_row({name: cell for name, cell in zip(header, row, strict=True) if cell}))
        except InvalidInputError as fault:
            problems += [Problem(f"{index}.{each.field}", each.code, each.message) for each in fault.problems]
    if problems:
        raise InvalidInputError(f"{path} has cells that cannot be read", problems=problems)
    return records
