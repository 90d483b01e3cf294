"""Pointing at a value: ``$order.items[0].price``, ``{{email}}``, ``${email}``, ``$input.email``, ``$context.tenant``.

Rule 1: a path leads through keys of mappings and positions of lists, never through Python's own attributes.
Rule 2: ``$word`` points at something only where *word* is known; otherwise it is text.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from kailash.errors import KailashError, Kind, did_you_mean

Space: TypeAlias = Literal["node", "input", "context", "local"]
Classify: TypeAlias = Callable[[str], Space | None]
"""What ``$word`` points into, or None when it is no reference."""


class _Sentinel(enum.Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return self.name


ABSENT: Final = _Sentinel.ABSENT  # what a reference to a skipped node or a missing input is worth


class MissingPathError(KailashError):
    """A value has no such key or position."""

    kind = Kind.INVALID
    code = "missing_path"


class Reference(msgspec.Struct, frozen=True):
    """Where a value comes from: a space, a name in it, and a path inside what is found there.

    name is empty for the whole of the inputs; "local" is a bare name in an expression.
    """

    space: Space
    name: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        head = {"node": f"${self.name}", "local": self.name}.get(self.space, f"${self.space}.{self.name}")
        return head.rstrip(".") + steps


_WORD: Final = r"[A-Za-z_]\w*"
_STEP: Final = rf"""\.(?:{_WORD}|\d+)|\[\d+\]|\["[^"\]]*"\]|\['[^'\]]*'\]"""
_PATH: Final = rf"(?:{_STEP})*"
_INPUT: Final = re.compile(
    rf"\{{\{{\s*(?P<brace>{_WORD})(?P<bracepath>{_PATH})\s*\}}\}}|\$\{{\s*(?P<dollar>{_WORD})(?P<dollarpath>{_PATH})\s*\}}"
)
_DOLLAR: Final = re.compile(rf"\$(?P<word>{_WORD}(?:-\w+)*)")
_PATH_HERE: Final = re.compile(_PATH)
_ONE_STEP: Final = re.compile(_STEP)
CONTEXT_NAMES: Final = ("tenant", "principal", "request_id")


def reference_at(text: str, start: int, classify: Classify) -> tuple[Reference, int] | None:
    """Return the reference that begins at *start* of *text* and where it ends, or None.

    Raises: MissingPathError for ``$context.something`` that a context does not have.
    """
    if found := _INPUT.match(text, start):
        name = found["brace"] or found["dollar"]
        return Reference("input", name, steps_of(found["bracepath"] or found["dollarpath"] or "")), found.end()
    if not (found := _DOLLAR.match(text, start)):
        return None
    word, space = _known(found["word"], classify)
    if space is None:
        return None
    end = start + 1 + len(word)
    path = _PATH_HERE.match(text, end)
    steps = steps_of(path[0]) if path else ()
    return _reference(space, word, steps), path.end() if path else end


def looks_like_reference(text: str, start: int) -> str | None:
    """Return the word when *text* has ``$word.word`` at *start*: what an author means as a reference."""
    found = _DOLLAR.match(text, start)
    if found and re.compile(rf"\.{_WORD}|\[\d+\]").match(text, found.end()):
        return found["word"]
    return None


def steps_of(path: str) -> tuple[str | int, ...]:
    """Return ".items[0].price" as ("items", 0, "price")."""
    return tuple(_step(found[0]) for found in _ONE_STEP.finditer(path))


def path_of(text: str) -> tuple[str | int, ...]:
    """Return "result.user.id" or "items[0].name" as a path; a name that is neither is one key; nothing is ()."""
    if not text:
        return ()
    return steps_of(f".{text}") if _PATH_HERE.fullmatch(f".{text}") else (text,)


def dig(value: Any, path: Sequence[str | int]) -> Any:
    """Return what *path* leads to inside *value*.

    Raises: MissingPathError, naming the step that is not there.
    """
    for step in path:
        try:
            value = _take(value, step)
        except (KeyError, IndexError, TypeError, ValueError):
            raise _lost(value, step) from None
    return value


def _take(value: Any, step: str | int) -> Any:
    if isinstance(value, Mapping):
        return value[step] if step in value else value[str(step)]
    if isinstance(value, list | tuple):
        return value[int(step)]
    raise TypeError


def _lost(value: Any, step: str | int) -> MissingPathError:
    if isinstance(value, Mapping):
        return MissingPathError(f"there is no {step!r}", hint=did_you_mean(str(step), [str(key) for key in value]))
    if isinstance(value, list | tuple):
        return MissingPathError(f"there is no item {step!r} in a list of {len(value)}")
    return MissingPathError(f"a {type(value).__name__} has no {step!r} inside")


def _step(text: str) -> str | int:
    if text[0] == ".":
        return int(text[1:]) if text[1:].isdecimal() else text[1:]
    inner = text[1:-1]
    return int(inner) if inner.isdecimal() else inner[1:-1]


def _known(word: str, classify: Classify) -> tuple[str, Space | None]:
    """The longest beginning of "a-b-c", cut at dashes, that is known."""
    while (space := classify(word)) is None and "-" in word:
        word = word.rpartition("-")[0]
    return word, space


def _reference(space: Space, word: str, steps: tuple[str | int, ...]) -> Reference:
    if space in ("input", "context"):
        name = str(steps[0]) if steps else ""
        if space == "context" and name not in CONTEXT_NAMES:
            raise MissingPathError(f"a context has no {name!r}", hint=did_you_mean(name, CONTEXT_NAMES))
        return Reference(space, name, steps[1:])
    return Reference(space, word, steps)
