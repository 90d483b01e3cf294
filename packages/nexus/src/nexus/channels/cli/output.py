"""Values to a terminal or a pipe: a table, JSON, CSV, or one JSON value a line.

Rule 1: values go to standard output, sentences to standard error; this module only writes values.
Rule 2: a pipe gets strings byte for byte; a terminal never gets a control character that a row holds.
Rule 3: records are written as they come: no format holds more than one page of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, assert_never

import msgspec

from kailash import shapes
from nexus.channels.cli import formats

Record: TypeAlias = Mapping[str, Any]

GAP = "  "  # between two columns
NARROWEST = 6  # cells; a column that must give way keeps this much
ELLIPSIS = "…"
_DIRECTIONS = frozenset(
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)  # reorder what a reader sees
_SPECIAL = frozenset(',"\r\n')


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """Where values go, and how they look there."""

    format: formats.Format
    stream: Any  # TextIO
    terminal: bool = False
    color: bool = False
    width: int = 80  # cells


class Writer(Protocol):
    """Takes pages of records, then an end."""

    def rows(self, records: Sequence[Record]) -> None:
        """Write one page."""

    def end(self, rest: Record) -> None:
        """Finish; *rest* is what the answer held besides its records (``next``, ``total``)."""


def writer(screen: Screen, columns: Iterable[str]) -> Writer:
    """Return what writes records to *screen*; *columns* come first, and stand even when no record comes."""
    order = tuple(columns)
    match screen.format:
        case formats.Format.JSON:
            return _JSONWriter(screen)
        case formats.Format.NDJSON:
            return _LinesWriter(screen)
        case formats.Format.CSV:
            return _CSVWriter(screen, order)
        case formats.Format.TABLE:
            return _TableWriter(screen, order)
        case _:
            assert_never(screen.format)


def show(screen: Screen, value: Record) -> None:
    """Write one mapping: an object, a line, a header and a row, or one ``name  value`` line for each entry."""
    match screen.format:
        case formats.Format.JSON | formats.Format.NDJSON:
            screen.stream.write(_json(value, indent=screen.terminal and screen.format is formats.Format.JSON) + "\n")
        case formats.Format.CSV:
            _CSVWriter(screen, tuple(value)).rows([value])
        case formats.Format.TABLE:
            _show_pairs(screen, value)
        case _:
            assert_never(screen.format)


class _JSONWriter:
    """``{"items": [...], "next": ..., "total": ...}``, as REST answers, written while the records come."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._begun = False

    def rows(self, records: Sequence[Record]) -> None:
        for record in records:
            self._screen.stream.write(self._separator() + self._item(record))

    def end(self, rest: Record) -> None:
        if not self._begun:
            self._screen.stream.write('{"items":[')
        tail = "".join(f",{_json(name)}:{_json(value)}" for name, value in rest.items())
        newline = "\n" if self._screen.terminal and self._begun else ""
        self._screen.stream.write(f"{newline}]{tail}}}\n")

    def _separator(self) -> str:
        newline = "\n" if self._screen.terminal else ""
        if self._begun:
            return f",{newline}"
        self._begun = True
        return f'{{"items":[{newline}'

    def _item(self, record: Record) -> str:
        text = _json(record, indent=self._screen.terminal)
        return "\n".join("  " + line for line in text.split("\n")) if self._screen.terminal else text


class _LinesWriter:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def rows(self, records: Sequence[Record]) -> None:
        self._screen.stream.writelines(_json(record) + "\n" for record in records)

    def end(self, rest: Record) -> None:
        """Nothing: what is not a record has no line of its own."""


class _CSVWriter:
    """RFC 4180 with bare newlines; an absent value is an empty cell, a list or object its JSON.

    Not `csv.writer`: with a bare newline it leaves a carriage return unquoted, and its own reader then loses it.
    """

    def __init__(self, screen: Screen, columns: Sequence[str]) -> None:
        self._stream = screen.stream
        self._columns = tuple(columns)
        self._begun = False

    def rows(self, records: Sequence[Record]) -> None:
        if not self._begun and (records or self._columns):
            self._columns = _columns(self._columns, records)
            self._line(self._columns)
            self._begun = True
        for record in records:
            self._line([text(record.get(column)) for column in self._columns])

    def end(self, rest: Record) -> None:
        self.rows(())

    def _line(self, words: Sequence[str]) -> None:
        line = ",".join(map(_quoted, words))
        self._stream.write((line or '""' * len(words)) + "\n")  # one empty cell is not an empty line


class _TableWriter:
    """Aligned columns; widths come from the first page, and later rows keep to them where they can."""

    def __init__(self, screen: Screen, columns: Sequence[str]) -> None:
        self._screen = screen
        self._columns = tuple(columns)
        self._widths: tuple[int, ...] = ()

    def rows(self, records: Sequence[Record]) -> None:
        if not self._widths:
            self._columns = _columns(self._columns, records)
        cells = [[cell(record.get(column)) for column in self._columns] for record in records]
        if not self._widths:
            self._begin(cells)
        numeric = [[_is_number(record.get(column)) for column in self._columns] for record in records]
        for line, right in zip(cells, numeric, strict=True):
            self._line(line, right)

    def end(self, rest: Record) -> None:
        if not self._widths and self._columns:
            self._begin([])

    def _begin(self, cells: Sequence[Sequence[str]]) -> None:
        headings = [cell(column) for column in self._columns]
        widths = [max(map(cells_wide, column)) for column in zip(headings, *cells, strict=True)]
        self._widths = _fit(widths, self._screen.width) if self._screen.terminal else tuple(widths)
        self._line(headings, [False] * len(headings), bold=True)

    def _line(self, line: Sequence[str], right: Sequence[bool], *, bold: bool = False) -> None:
        parts = [
            _pad(clip(word, width) if self._screen.terminal else word, width, right=to_right)
            for word, width, to_right in zip(line, self._widths, right, strict=True)
        ]
        whole = GAP.join(parts).rstrip()
        whole = clip(whole, self._screen.width) if self._screen.terminal else whole
        self._screen.stream.write((_bold(whole) if bold and self._screen.color else whole) + "\n")


def text(value: Any) -> str:
    """Return *value* as a word for CSV: strings as they are, None as nothing, structures as JSON."""
    plain = shapes.plain(value)
    match plain:
        case None:
            return ""
        case bool():
            return "true" if plain else "false"
        case str():
            return plain
        case int() | float():
            return repr(plain)
        case _:
            return _json(plain)


def cell(value: Any) -> str:
    """Return *value* for a person: like `text`, with whatever would move the cursor or the eye made visible."""
    word = text(value)
    if word.isascii() and word.isprintable():
        return word
    return "".join(_visible(character) for character in word)


def cells_wide(word: str) -> int:
    """Return how many terminal cells *word* takes (Unicode Standard Annex 11: wide and fullwidth take two)."""
    if word.isascii():
        return len(word)
    return sum(_cells(character) for character in word)


def clip(word: str, width: int) -> str:
    """Return *word* in at most *width* cells, ending in an ellipsis where something is missing."""
    if cells_wide(word) <= width:
        return word
    kept, room = [], width - 1
    for character in word:
        room -= _cells(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS


def table(screen: Screen, records: Sequence[Record], columns: Sequence[str]) -> None:
    """Write a whole list at once, as the format of *screen* has it."""
    out = writer(screen, columns)
    out.rows(records)
    out.end({})


def _show_pairs(screen: Screen, value: Record) -> None:
    names = [cell(name) for name in value]
    widest = max(map(cells_wide, names), default=0)
    for name, item in zip(names, value.values(), strict=True):
        heading = _pad(name, widest, right=False)
        word = cell(item)
        if screen.terminal:
            word = clip(word, max(screen.width - widest - len(GAP), NARROWEST))
        screen.stream.write(f"{_bold(heading) if screen.color else heading}{GAP}{word}".rstrip() + "\n")


def _columns(first: Sequence[str], records: Iterable[Record]) -> tuple[str, ...]:
    """Return *first* where any record has them, and then whatever else the records have, in order."""
    present = dict.fromkeys(name for record in records for name in record)
    if not present:
        return tuple(first)
    return (*[name for name in first if name in present], *[name for name in present if name not in first])


def _fit(widths: Sequence[int], room: int) -> tuple[int, ...]:
    """Return *widths* with the widest columns cut, one cell at a time, until a line takes *room* cells."""
    fitted = list(widths)
    over = sum(fitted) + len(GAP) * (len(fitted) - 1) - room
    while over > 0:
        widest = max(range(len(fitted)), key=fitted.__getitem__)
        if fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
        over -= 1
    return tuple(fitted)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"' if _SPECIAL.intersection(word) else word


def _json(value: Any, *, indent: bool = False) -> str:
    encoded = shapes.encode_json(value)
    return (msgspec.json.format(encoded, indent=2) if indent else encoded).decode()


def _pad(word: str, width: int, *, right: bool) -> str:
    room = " " * (width - cells_wide(word))
    return room + word if right else word + room


def _bold(word: str) -> str:
    return f"\x1b[1m{word}\x1b[0m"


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str | bytes) and hasattr(value, "__float__")


def _visible(character: str) -> str:
    if character in _DIRECTIONS or unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs"):
        return character.encode("unicode_escape").decode()
    return character


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
