"""Search by a finite automaton: time in proportion to the text, whatever the pattern.

The pattern becomes a nondeterministic automaton (Thompson's construction), of which the deterministic states
are made as a text needs them and kept.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from kailash.conditions.grammar import Characters, Choice, Edge, Pattern, PatternError, Repeat, Sequence, write

Search: TypeAlias = Callable[[str], bool]

MAX_STATES: Final = 4_000  # of the nondeterministic automaton; a canonical pattern of one text has one a character
MAX_KEPT: Final = 20_000  # transitions that are kept, about 100 bytes each


def compile(pattern: Pattern) -> Search:
    """Return the function that tells whether *pattern* is found in a text. Raises: PatternError (too large)."""
    if _straight(pattern):  # nothing to go back to: the faster engine is safe
        found = re.compile(write(pattern), re.DOTALL | re.ASCII).search
        return lambda text: found(text) is not None
    return Automaton(pattern).search


def _straight(pattern: Pattern) -> bool:
    if isinstance(pattern, Sequence):
        return all(isinstance(part, Characters | Edge) for part in pattern.parts)
    return isinstance(pattern, Characters | Edge)


class _State:
    """A deterministic state: the places where a search may be, and where each character leads from there."""

    __slots__ = ("accepts", "accepts_at_end", "moves", "places")

    def __init__(self, places: frozenset[int], *, accepts: bool, accepts_at_end: bool) -> None:
        self.places = places
        self.accepts = accepts
        self.accepts_at_end = accepts_at_end
        self.moves: dict[str, _State] = {}


class Automaton:
    """A pattern, ready to be searched for. Safe to share between threads: what they race to keep is the same."""

    def __init__(self, pattern: Pattern, most: int = MAX_KEPT) -> None:
        """most: transitions that are kept."""
        self._most = most
        # A place has either a set of characters and one successor, or ways that need no character.
        self._characters: list[Characters | None] = []
        self._ways: list[list[int]] = []
        self._edges: dict[int, bool] = {}  # place -> whether it is passed at the end of the text, or at the beginning
        self._goal = self._place()
        self._begin = self._build(pattern, self._goal)
        self._again = self._reach([self._begin], start=False)  # a search may begin at every character
        self._states: dict[frozenset[int], _State] = {}
        self._kept = 0
        self._first = self._state(self._reach([self._begin], start=True), start=True)

    def search(self, text: str) -> bool:
        """Tell whether the pattern is found in *text*."""
        state = self._first
        for character in text:
            if state.accepts:
                return True
            state = state.moves.get(character) or self._move(state, character)
        return state.accepts or state.accepts_at_end

    def _place(self, characters: Characters | None = None, *ways: int) -> int:
        if len(self._ways) >= MAX_STATES:
            raise PatternError("is too large")
        self._characters.append(characters)
        self._ways.append(list(ways))
        return len(self._ways) - 1

    def _build(self, pattern: Pattern, then: int) -> int:
        """Return the place where *pattern* begins, when *then* follows it."""
        match pattern:
            case Characters():
                return self._place(pattern, then)
            case Edge():
                place = self._place(None, then)
                self._edges[place] = pattern.end
                return place
            case Sequence():
                for part in reversed(pattern.parts):
                    then = self._build(part, then)
                return then
            case Choice():
                return self._place(None, *[self._build(part, then) for part in pattern.parts])
            case Repeat():
                return self._build_repeat(pattern, then)

    def _build_repeat(self, pattern: Repeat, then: int) -> int:
        if pattern.most is None:
            loop = self._place(None, then)
            self._ways[loop].append(self._build(pattern.part, loop))
            then = loop
        else:
            leave = then
            for _ in range(pattern.most - pattern.least):
                then = self._place(None, leave, self._build(pattern.part, then))
        for _ in range(pattern.least):
            then = self._build(pattern.part, then)
        return then

    def _reach(self, places: Iterable[int], *, start: bool, end: bool = False) -> frozenset[int]:
        """Return *places* and all that can be reached from them without a character."""
        reached: set[int] = set()
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            if place in reached:
                continue
            reached.add(place)
            passes = self._edges.get(place)
            if self._characters[place] is None and (passes is None or (end if passes else start)):
                waiting.extend(self._ways[place])
        return frozenset(reached)

    def _state(self, places: frozenset[int], *, start: bool = False) -> _State:
        at_end = self._goal in self._reach(places, start=start, end=True)
        return _State(places, accepts=self._goal in places, accepts_at_end=at_end)

    def _move(self, state: _State, character: str) -> _State:
        code = ord(character)
        onward = [self._ways[place][0] for place in state.places if _takes(self._characters[place], code)]
        places = self._reach(onward, start=False) | self._again
        if self._kept >= self._most:
            self._forget()
        following = self._states.get(places)
        if following is None:
            following = self._states[places] = self._state(places)
        state.moves[character] = following
        self._kept += 1
        return following

    def _forget(self) -> None:
        for state in (self._first, *self._states.values()):
            state.moves = {}
        self._states = {}
        self._kept = 0


def _takes(characters: Characters | None, code: int) -> bool:
    if characters is None:
        return False
    ranges = characters.ranges
    at = bisect_right(ranges, (code, 0x110000)) - 1
    return (at >= 0 and ranges[at][1] >= code) is not characters.negated
