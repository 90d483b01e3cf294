"""The author's inputs of a step, compiled: constants, and functions of what a run has produced.

Rule 1: only the author's text is read as a template, once, when the workflow is built. A value that arrives
        at run time is opaque, and so is a `Literal`.
Rule 2: a key that begins with ``$`` is an operator, never a reference; ``$coalesce`` is the one that is ours.
Rule 3: a missing value inside a list or an object is an error, never a shorter object: a filter that lost a
        condition would match more than was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, SupportsIndex, TypeAlias

from kailash.errors import InvalidInputError, KailashError, did_you_mean
from kailash.expressions import ABSENT, Classify, Expression, MissingPathError, Reference, dig, reference_at
from kailash.expressions.paths import looks_like_reference
from kailash.shapes import encode_json
from kailash.workflow.state import State

Get: TypeAlias = Callable[[State], Any]
COALESCE: Final = "$coalesce"
_MARK: Final = re.compile(r"\$\$|\$|\{\{")


class Literal(str):
    """Text that is data: the builder leaves it alone, whatever it looks like.

    What is cut from it or joined to it with ``+`` is data as well. An f-string or ``%`` makes ordinary text
    again: give data to a workflow as an input, or as a value of its own.
    """

    __slots__ = ()

    def __add__(self, other: str) -> Literal:
        return Literal(str.__add__(self, other))

    def __radd__(self, other: str) -> Literal:
        return Literal(other + str(self))

    def __getitem__(self, key: SupportsIndex | slice) -> Literal:
        return Literal(str.__getitem__(self, key))

    def __format__(self, spec: str) -> str:
        return Literal(str.__format__(self, spec))

    def strip(self, characters: str | None = None, /) -> Literal:
        return Literal(str.strip(self, characters))

    def lower(self) -> Literal:
        return Literal(str.lower(self))

    def upper(self) -> Literal:
        return Literal(str.upper(self))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> Literal:
        return Literal(str.replace(self, old, new, count))


def literal(value: Any) -> Any:
    """Return *value* with every text in it, keys included, marked as data."""
    if isinstance(value, str):
        return Literal(value)
    if isinstance(value, Mapping):
        return {literal(key): literal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [literal(item) for item in value]
    return value


class UnknownReferenceError(KailashError):
    """A text has ``$word.path`` where no node is named *word*."""

    code = "unknown_reference"


class Binding:
    """One input of a step, compiled: a constant, or how to get it from a run.

    references: all that it points at. demanded: those whose absence is an error although the input itself
    may be left out. decisive: those whose absence leaves the input out. whole: the reference, when it is
    nothing else.
    """

    __slots__ = ("constant", "decisive", "demanded", "get", "references", "whole")

    def __init__(self, constant: Any = ABSENT, get: Get | None = None) -> None:
        self.constant = constant
        self.get = get
        self.references: tuple[Reference, ...] = ()
        self.demanded: tuple[Reference, ...] = ()
        self.decisive: tuple[Reference, ...] = ()
        self.whole: Reference | None = None


class Author:
    """Compiles what one author wrote. soft: whether the output of a node may lack a key (branches)."""

    def __init__(self, classify: Classify, known: Iterable[str], soft: Callable[[str], bool]) -> None:
        self.classify = classify
        self.known = known
        self.soft = soft

    def binding(self, value: Any) -> Binding:
        """Return *value* compiled.

        Raises: UnknownReferenceError, MissingPathError.
        """
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return self._coalesce(value) if _is_coalesce(value) else self._mapping(value)
        if isinstance(value, list | tuple):
            return self._sequence(value)
        return Binding(value)

    def reference(self, reference: Reference) -> Binding:
        """Return a binding to one reference."""
        made = Binding(get=self._getter(reference))
        made.references = made.decisive = (reference,)
        made.whole = reference
        return made

    def expression(self, expression: Expression) -> Binding:
        """Return a binding to the value of an expression; local names point at nothing here."""
        getters = {reference: self._getter(reference) for reference in expression.references}

        def get(state: State) -> Any:
            return expression.evaluate(lambda reference: getters[reference](state))

        made = Binding(get=get)
        made.references = expression.references
        return made

    def _text(self, text: str) -> Binding:
        if isinstance(text, Literal) or ("$" not in text and "{{" not in text):
            return Binding(str(text))
        parts = self._parts(text)
        references = [part for part in parts if isinstance(part, Reference)]
        if not references:
            return Binding("".join(str(part) for part in parts))
        if len(parts) == 1:
            return self.reference(references[0])
        pieces = [self._getter(part) if isinstance(part, Reference) else part for part in parts]
        made = Binding(get=lambda state: _interpolate(pieces, state))
        made.references = made.decisive = tuple(references)
        return made

    def _parts(self, text: str) -> list[str | Reference]:
        parts: list[str | Reference] = []
        at = 0
        while mark := _MARK.search(text, at):
            start = mark.start()
            parts.append(text[at:start])
            if mark[0] == "$$":
                parts.append("$")
                at = mark.end()
            elif found := self._reference_at(text, start):
                parts.append(found[0])
                at = found[1]
            else:
                parts.append(text[start])
                at = start + 1
        parts.append(text[at:])
        return [part for part in parts if part != ""]

    def _reference_at(self, text: str, at: int) -> tuple[Reference, int] | None:
        if found := reference_at(text, at, self.classify):
            return found
        if word := looks_like_reference(text, at):
            known = did_you_mean(word, self.known)
            raise UnknownReferenceError(
                f"${word} points at no node", hint=f"{known}; write $$ for a dollar sign" if known else ""
            )
        return None

    def _coalesce(self, value: Mapping[str, Any]) -> Binding:
        choices = [self.binding(choice) for choice in value[COALESCE]]
        made = Binding(get=lambda state: _first_present(choices, state))
        made.references = _all(choices)
        return made

    def _mapping(self, value: Mapping[Any, Any]) -> Binding:
        items = {str(key) if isinstance(key, Literal) else key: self.binding(item) for key, item in value.items()}
        return _compound(items.values(), lambda state: {key: _inner(item, state) for key, item in items.items()})

    def _sequence(self, value: list[Any] | tuple[Any, ...]) -> Binding:
        items = [self.binding(item) for item in value]
        kind = type(value) if type(value) in (list, tuple) else list
        if not any(item.references or item.get for item in items):
            constants = [item.constant for item in items]
            return Binding(get=lambda state: kind(constants))
        return _compound(items, lambda state: kind([_inner(item, state) for item in items]))

    def _getter(self, reference: Reference) -> Get:
        if reference.space == "node":
            return _node_getter(reference, soft=self.soft(reference.name))
        if reference.space == "input":
            return _input_getter(reference)
        if reference.space == "context":
            name = reference.name
            return lambda state: getattr(state.context, name)
        return lambda state: ABSENT


def _is_coalesce(value: Mapping[Any, Any]) -> bool:
    if len(value) != 1:
        return False
    ((key, choices),) = value.items()
    return key == COALESCE and not isinstance(key, Literal) and isinstance(choices, list | tuple)


def _all(items: Iterable[Binding]) -> tuple[Reference, ...]:
    return tuple(reference for item in items for reference in item.references)


def _compound(items: Iterable[Binding], get: Get) -> Binding:
    items = list(items)
    made = Binding(get=get)  # a constant container is made anew for each run: a node may change what it is given
    made.references = _all(items)
    made.demanded = tuple(reference for item in items for reference in (*item.demanded, *item.decisive))
    return made


def _inner(item: Binding, state: State) -> Any:
    if item.get is None:
        return item.constant
    value = item.get(state)
    if value is ABSENT:
        missing = " or ".join(str(reference) for reference in item.references)
        raise InvalidInputError(f"{missing} is missing", hint="give it, or say what else with $coalesce")
    return value


def _interpolate(pieces: list[str | Get], state: State) -> Any:
    texts = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        value = piece(state)
        if value is ABSENT:
            return ABSENT
        texts.append(_as_text(value))
    return "".join(texts)


def _as_text(value: Any) -> str:
    """A value inside a longer text: nothing for null, JSON's words and brackets, otherwise ``str``."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool | dict | list | tuple):
        return encode_json(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _first_present(choices: list[Binding], state: State) -> Any:
    best: Any = ABSENT
    for choice in choices:
        try:
            value = choice.constant if choice.get is None else choice.get(state)
        except MissingPathError:
            continue
        if value is not ABSENT and value is not None:
            return value
        if value is None:
            best = None
    return best


def _node_getter(reference: Reference, *, soft: bool) -> Get:
    name, path = reference.name, reference.path
    if not path:
        return lambda state: state.outputs.get(name, ABSENT)
    first, rest = path[0], path[1:]

    def get(state: State) -> Any:
        try:
            value = state.outputs[name][first]
        except (KeyError, TypeError, IndexError):
            return _not_there(state, reference, soft=soft)
        return _dig(value, rest, reference) if rest else value

    return get


def _not_there(state: State, reference: Reference, *, soft: bool) -> Any:
    if reference.name not in state.outputs or soft or reference.name in state.failed:
        return ABSENT
    return _dig(state.outputs[reference.name], reference.path, reference)


def _dig(value: Any, path: tuple[str | int, ...], reference: Reference) -> Any:
    try:
        return dig(value, path)
    except MissingPathError as cause:
        raise MissingPathError(f"{reference} is not there: {cause.message}", hint=cause.hint) from None


def _input_getter(reference: Reference) -> Get:
    name, path = reference.name, reference.path
    if not name:
        return lambda state: dict(state.inputs)

    def get(state: State) -> Any:
        value = state.inputs.get(name, ABSENT)
        return _dig(value, path, reference) if path and value is not ABSENT else value

    return get
