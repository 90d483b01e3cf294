"""Changes of a text, as values: replace some bytes, drop arguments of a call; the rest stays, to the byte.

Positions are bytes of the text in UTF-8, as LibCST counts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

REST_OF_LINE: Final = re.compile(rb"[ \t]*(#[^\r\n]*)?(\r\n|\r|\n)")
SPACES: Final = re.compile(rb"[ \t]*")


class Edit(msgspec.Struct, frozen=True, order=True):
    """Put *text* where the bytes from *start* to *end* are."""

    start: int
    end: int
    text: bytes = b""


class Argument(msgspec.Struct, frozen=True):
    """Where an argument of a call is: *floor* is the end of what stands before it, *after* the end of its comma."""

    floor: int
    start: int
    end: int
    after: int  # *end*, where no comma follows


def apply(text: bytes, edits: Iterable[Edit]) -> bytes:
    """Return *text* with *edits*, none of which overlaps another."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def column_kept(text: bytes, moved: int, start: int, end: int) -> list[Edit]:
    """Return the edit that keeps a comment in its column, when the code from *start* to *end* before it grows.

    moved: by how many characters. A comment two spaces after its code is in no column.
    """
    rest = REST_OF_LINE.match(text, end)
    if rest is None or rest[1] is None or rest.start(1) - end <= 2 or b"\n" in text[start:end]:
        return []
    return [Edit(end, rest.start(1), b" " * max(2, rest.start(1) - end - moved))]


def without(text: bytes, dropped: Sequence[Argument]) -> list[Edit]:
    """Return the edits that take arguments of one call away, given in their order.

    An argument that has its lines to itself goes with them, and with the comment at the end of the last one.
    """
    return [_away(text, run) for run in _runs(text, dropped)]


def _runs(text: bytes, dropped: Sequence[Argument]) -> Iterator[Argument]:
    """Yield neighbours, with nothing but white space between them, as one."""
    run: Argument | None = None
    for each in dropped:
        if run is None:
            run = each
        elif text[run.end : each.start].strip(b" \t\r\n") == b",":
            run = Argument(run.floor, run.start, each.end, each.after)
        else:
            yield run
            run = each
    if run is not None:
        yield run


def _away(text: bytes, run: Argument) -> Edit:
    line = max(text.rfind(b"\n", 0, run.start), text.rfind(b"\r", 0, run.start)) + 1
    begins_line = not text[line : run.start].strip()
    if rest := REST_OF_LINE.match(text, run.after):
        if begins_line:
            return Edit(line, rest.end())
        before = text[line : run.start].rstrip(b" \t")
        return Edit(line + len(before), run.after)
    spaces = SPACES.match(text, run.after)
    end = spaces.end() if spaces else run.after
    if text[end : end + 1] != b")":
        return Edit(run.start, end)
    if not text[run.floor : run.start].strip(b" \t\r\n,"):
        return Edit(run.floor, run.after)
    return Edit(run.start, run.after)  # a comment stands between; the closing bracket must not join it
