r"""Text patterns that mean the same in memory, in SQLite and in PostgreSQL.

A *canonical* pattern is text that PostgreSQL's ``~`` and `search` read alike. It is made from

- a regular expression of our grammar (`canonical`): literals, ``.`` (any character, a line break too), ``[...]``,
  ``\d \w \s`` (ASCII) and their opposites, groups, ``|``, ``* + ? {m,n}``, and the two ends of the text:
  ``^`` or ``\A``, ``$`` or ``\Z``. Nothing else: no reference back, no look around, no repetition of a repetition;
- a pattern of LIKE (`like`, `ilike`): ``%``, ``_``, and a backslash before what shall be literal;
- a text whose case is ignored (`folded`): each character becomes the set of those that fold to the same one.

`search` runs an automaton (`kailash.conditions.automaton`), so its time grows with the text and never explodes
(https://swtch.com/~rsc/regexp/regexp1.html), whatever the pattern is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from kailash.conditions import automaton, grammar
from kailash.conditions.grammar import PatternError

__all__ = ["PatternError", "canonical", "escape_like", "fold", "folded", "ilike", "like", "search"]


class _Folding(dict[int, int]):
    """Code point -> code point of its lower case, where that is one character; filled as it is asked for."""

    def __missing__(self, code: int) -> int:
        lowered = chr(code).lower()
        self[code] = folded = ord(lowered) if len(lowered) == 1 else code
        return folded


_FOLDING: Final = _Folding()
_LAST_CASED: Final = 0x1FFFF  # no cased letter of Unicode is beyond this plane (the last is U+1E921)
_ASCII_ALIASES: Final = {"k": "\u212a"}  # KELVIN SIGN: the one character beyond ASCII that folds into it
_LIKE_SPECIAL: Final = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


def fold(text: str) -> str:
    """Return *text* in lower case, one character at a time: the length stays, and no neighbour matters."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


@lru_cache(maxsize=1024)
def canonical(pattern: str) -> str:
    """Return the canonical form of a regular expression. Raises: PatternError."""
    return grammar.write(grammar.read(pattern))


@lru_cache(maxsize=1024)
def like(pattern: str) -> str:
    """Return the canonical form of a pattern of LIKE. Raises: PatternError when it ends in a lone backslash."""
    return _like(pattern, folding=False)


@lru_cache(maxsize=1024)
def ilike(pattern: str) -> str:
    """Return the canonical form of a pattern of LIKE that ignores case. Raises: PatternError."""
    return _like(pattern, folding=True)


def folded(text: str) -> str:
    """Return the canonical pattern of *text* in any case."""
    return "".join(map(_any_case, text))


def escape_like(text: str) -> str:
    r"""Return the pattern of LIKE (escape character ``\``) that is *text* itself."""
    return text.translate(_LIKE_SPECIAL)


def check(pattern: str) -> None:
    """Raise PatternError where a canonical pattern is too large to be searched for."""
    _automaton(pattern)


def search(pattern: str, text: str) -> bool:
    """Tell whether a canonical pattern is found in *text*."""
    return _automaton(pattern)(text)


@lru_cache(maxsize=256)
def _automaton(pattern: str) -> automaton.Search:
    return automaton.compile(grammar.read(pattern))


def _like(pattern: str, *, folding: bool) -> str:
    written: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            if not written or written[-1] != ".*":
                written.append(".*")
        elif character == "_":
            written.append(".")
        else:
            literal = next(characters, "") if character == "\\" else character
            if not literal:
                raise PatternError("ends in a lone backslash")
            written.append(_any_case(literal) if folding else grammar.literal(literal))
    return _anchored(written)


def _anchored(written: list[str]) -> str:
    """A pattern that may begin or end with anything needs no anchor there, and is found sooner."""
    begin, end = "\\A", "\\Z"
    if written and written[-1] == ".*":
        end = ""
        written.pop()
    if written and written[0] == ".*":
        begin = ""
        del written[0]
    return begin + "".join(written) + end


def _any_case(character: str) -> str:
    variants = _variants(fold(character))
    return grammar.literal(variants) if len(variants) == 1 else f"[{grammar.members(variants)}]"


def _variants(character: str) -> str:
    if character.isascii():
        alone = character + character.upper() + _ASCII_ALIASES.get(character, "")
        return alone if character.isalpha() else character
    return _by_folded().get(character, character)


@lru_cache(maxsize=1)
def _by_folded() -> dict[str, str]:
    """Folded character -> all that fold to it, where there are several; some milliseconds, once."""
    several: dict[str, str] = {}
    for code in range(_LAST_CASED + 1):
        character = chr(code)
        if (lowered := character.lower()) != character and len(lowered) == 1:
            several[lowered] = several.get(lowered, lowered) + character
    return several
