"""The grammar of regular expressions: text to tree, tree to canonical text.

It is what Python's ``re`` and PostgreSQL's ARE (https://www.postgresql.org/docs/current/functions-matching.html)
agree on, and what an automaton can search for. A repetition inside a repetition is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NoReturn, TypeAlias

import msgspec

MAX_PATTERN: Final = 8_000  # characters of a canonical pattern; reading takes about a microsecond for each
MAX_REPEAT: Final = 255  # DUPMAX of PostgreSQL's regular expressions
MAX_DEPTH: Final = 20  # groups inside groups; arbitrary
_SPECIAL: Final = frozenset("\\.^$*+?()[]{}|")
_SPECIAL_MEMBERS: Final = frozenset("\\]^-[")

Ranges: TypeAlias = tuple[tuple[int, int], ...]  # inclusive code points


class PatternError(ValueError):
    """A pattern cannot be read; the message completes "the pattern ..."."""


class Characters(msgspec.Struct, frozen=True):
    """One character: of *ranges*, or (negated) none of them."""

    ranges: Ranges
    negated: bool = False


class Edge(msgspec.Struct, frozen=True):
    """The end of the text, or its beginning."""

    end: bool


class Sequence(msgspec.Struct, frozen=True):
    """One after the other."""

    parts: tuple[Pattern, ...]


class Choice(msgspec.Struct, frozen=True):
    """One of several."""

    parts: tuple[Pattern, ...]


class Repeat(msgspec.Struct, frozen=True):
    """*least* to *most* times; most None: any number."""

    part: Pattern
    least: int
    most: int | None


Pattern: TypeAlias = Characters | Edge | Sequence | Choice | Repeat

ANY: Final = Characters((), negated=True)
_CLASSES: Final[dict[str, Ranges]] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}


def read(pattern: str) -> Pattern:
    """Return the tree of *pattern*. Raises: PatternError."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"is longer than {MAX_PATTERN} characters")
    reader = _Reader(pattern)
    tree = reader.choice(0)
    if reader.next():
        raise PatternError("closes a group that is not open")
    return tree


def literal(character: str) -> str:
    """Return the pattern of one character."""
    return "\\" + character if character in _SPECIAL else character


def members(characters: Iterable[str]) -> str:
    """Return what stands for *characters* between square brackets."""
    return "".join(["\\" + each if each in _SPECIAL_MEMBERS else each for each in characters])


def repeats(pattern: Pattern) -> bool:
    """Tell whether anything in *pattern* is repeated."""
    match pattern:
        case Repeat():
            return True
        case Sequence() | Choice():
            return any(map(repeats, pattern.parts))
        case _:
            return False


def write(pattern: Pattern) -> str:
    """Return the canonical text of *pattern*."""
    match pattern:
        case Characters():
            return _write_characters(pattern)
        case Edge():
            return "\\Z" if pattern.end else "\\A"
        case Sequence():
            return "".join([_grouped(part, Choice) for part in pattern.parts])
        case Choice():
            return "|".join(map(write, pattern.parts))
        case Repeat():
            return _grouped(pattern.part, Choice, Sequence) + _write_bounds(pattern.least, pattern.most)


def _grouped(pattern: Pattern, *loose: type) -> str:
    return f"(?:{write(pattern)})" if isinstance(pattern, loose) else write(pattern)


def _write_characters(pattern: Characters) -> str:
    if pattern == ANY:
        return "."
    if not pattern.negated and len(pattern.ranges) == 1 and pattern.ranges[0][0] == pattern.ranges[0][1]:
        return literal(chr(pattern.ranges[0][0]))
    inside = "".join([_write_range(*each) for each in pattern.ranges])
    return f"[^{inside}]" if pattern.negated else f"[{inside}]"


def _write_range(low: int, high: int) -> str:
    return members(chr(low)) if low == high else f"{members(chr(low))}-{members(chr(high))}"


def _write_bounds(least: int, most: int | None) -> str:
    if most is None and least < 2:
        return "+" if least else "*"
    if (least, most) == (0, 1):
        return "?"
    if most is None:
        return f"{{{least},}}"
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _character_set(ranges: Ranges, *, negated: bool) -> Characters:
    """Return the set, written without the character 0, which PostgreSQL's text cannot hold."""
    if ranges[0][0] == 0:
        ranges, negated = _opposite(ranges), not negated
    if not ranges and not negated:
        raise PatternError("has a '[...]' that no character is in")
    return Characters(ranges, negated)


def _opposite(ranges: Ranges) -> Ranges:
    """Every code point outside *ranges*, which are sorted."""
    starts = [0, *[high + 1 for _, high in ranges]]
    ends = [*[low - 1 for low, _ in ranges], 0x10FFFF]
    return tuple([(low, high) for low, high in zip(starts, ends, strict=True) if low <= high])


class _Reader:
    """Reads a pattern from left to right, by recursive descent."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def next(self) -> str:
        """The character that is read next, or nothing at the end."""
        return self._pattern[self._at : self._at + 1]

    def take(self, expected: str) -> bool:
        """Read *expected* if it comes next."""
        if self._pattern.startswith(expected, self._at):
            self._at += len(expected)
            return True
        return False

    def choice(self, depth: int) -> Pattern:
        """Read alternatives, up to the end or the end of the group."""
        parts = [self.sequence(depth)]
        while self.take("|"):
            parts.append(self.sequence(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self, depth: int) -> Pattern:
        parts: list[Pattern] = []
        while self.next() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeated(self, part: Pattern) -> Pattern:
        bounds = self.bounds()
        if bounds is None:
            return part
        self.take("?")  # a lazy repetition finds the same texts
        if self.next() in ("*", "+", "?", "{") or repeats(part):
            raise PatternError("repeats a repetition")
        if isinstance(part, Edge):
            raise PatternError("repeats an end of the text")
        return Repeat(part, *bounds)

    def bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return bounds
        return self.counts() if self.take("{") else None

    def counts(self) -> tuple[int, int | None]:
        written, closed, _ = self._pattern[self._at :].partition("}")
        self._at += len(written) + 1
        least, comma, most = written.partition(",")
        numbers = [part for part in (least, most) if part]
        if not closed or not least or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in numbers):
            raise PatternError("has a '{' that begins no repetition; write '\\{' for the character")
        low, high = int(least), int(most) if most else (None if comma else int(least))
        if max(map(int, numbers)) > MAX_REPEAT or (high is not None and high < low):
            raise PatternError(f"repeats more than {MAX_REPEAT} times, or at most fewer times than at least")
        return low, high

    def atom(self, depth: int) -> Pattern:
        character = self.next()
        self._at += 1
        match character:
            case ".":
                return ANY
            case "^" | "$":
                return Edge(character == "$")
            case "(":
                return self.group(depth)
            case "[":
                return self.bracket()
            case "\\":
                return self.escape()
            case "*" | "+" | "?" | "{":
                raise PatternError("repeats nothing")
            case _:
                return Characters(((ord(character), ord(character)),))

    def group(self, depth: int) -> Pattern:
        if depth >= MAX_DEPTH:
            raise PatternError(f"has groups deeper than {MAX_DEPTH}")
        if not self.take("?:") and self.next() == "?":
            raise PatternError("has a group with '(?', of which only '(?:' is known")
        inside = self.choice(depth + 1)
        if not self.take(")"):
            raise PatternError("does not close a group")
        return inside

    def escape(self) -> Pattern:
        character = self.next()
        self._at += 1
        if character in ("A", "Z"):
            return Edge(character == "Z")
        if character.lower() in _CLASSES:
            return Characters(_CLASSES[character.lower()], negated=character.isupper())
        single = self.escaped(character)
        return Characters(((single, single),))

    def escaped(self, character: str) -> int:
        if character in _CONTROLS:
            return ord(_CONTROLS[character])
        if not character:
            raise PatternError("ends in a lone backslash")
        if character.isalnum():
            raise PatternError(f"has the escape '\\{character}', which is not known here")
        return ord(character)

    def bracket(self) -> Pattern:
        negated = self.take("^")
        ranges = list(self.member())  # a ']' that comes first is a character
        while not self.take("]"):
            ranges.extend(self.member())
        return _character_set(_merged(ranges), negated=negated)

    def member(self) -> Ranges:
        low = self.endpoint()
        if not isinstance(low, int):
            return low
        if self.next() != "-" or self._pattern[self._at + 1 : self._at + 2] in ("]", ""):
            return ((low, low),)
        self._at += 1
        high = self.endpoint()
        if not isinstance(high, int) or high < low:
            raise PatternError("has a range that ends before it begins")
        return ((low, high),)

    def endpoint(self) -> int | Ranges:
        character = self.next()
        self._at += 1
        if not character:
            self.unclosed()
        if character == "[" and self.next() in (":", ".", "="):
            raise PatternError("has a class in '[:', which is not known here")
        if character != "\\":
            return ord(character)
        escaped = self.next()
        self._at += 1
        if escaped.lower() in _CLASSES:
            inside = _CLASSES[escaped.lower()]
            return _opposite(inside) if escaped.isupper() else inside
        return self.escaped(escaped)

    @staticmethod
    def unclosed() -> NoReturn:
        raise PatternError("does not close a '['")
