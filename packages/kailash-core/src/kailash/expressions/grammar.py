"""``$customer.tier == 'vip' and len($order.items) > 2``: text -> a function, over a closed grammar.

    or || and && not !      == != < <= > >= in, not in, is, is not (chains as in Python)
    + - * / // % and - x    numbers, 'text', true false null, [lists], len(x), paths, (...)

Rule 1: whatever is not in this grammar is an error when the text is compiled; nothing is ever handed to Python.
Rule 2: a comparison of order with null is false; a reference to a skipped node is null.
Rule 3: the work of an evaluation is bounded by its text and its values: no powers, no repetition of texts.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from kailash.errors import KailashError, Kind
from kailash.expressions.paths import ABSENT, Classify, MissingPathError, Reference, dig, reference_at

Look: TypeAlias = Callable[[Reference], Any]
Evaluate: TypeAlias = Callable[[Look], Any]

MAX_TEXT: Final = 4_096  # characters; arbitrary, several screens
MAX_DEPTH: Final = 64  # nested parentheses, lists and operators; far below Python's recursion limit


class InvalidExpressionError(KailashError):
    """An expression is not in the grammar, or cannot be evaluated with the values it got."""

    kind = Kind.INVALID
    code = "invalid_expression"


class Expression(msgspec.Struct, frozen=True):
    """A compiled expression: its text, what it refers to, and its evaluation."""

    text: str
    references: tuple[Reference, ...]
    compute: Evaluate

    def evaluate(self, look: Look) -> Any:
        """Return its value. look: gives the value of a reference, or ABSENT.

        Raises: InvalidExpressionError, MissingPathError.
        """
        try:
            return self.compute(look)
        except (TypeError, ZeroDivisionError, OverflowError, ValueError) as cause:
            raise InvalidExpressionError(f"{self.text!r} cannot be evaluated: {_reason(cause)}") from cause


def compile_expression(text: str, classify: Classify) -> Expression:
    """Return *text* compiled. classify: which ``$words`` are references; bare words are local names.

    Raises: InvalidExpressionError, saying where.
    """
    if len(text) > MAX_TEXT:
        raise InvalidExpressionError(f"an expression of {len(text)} characters is too long (at most {MAX_TEXT})")
    parser = _Parser(text, classify)
    compute = parser.whole()
    return Expression(text, tuple(dict.fromkeys(parser.references)), compute)


_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<word>[A-Za-z_]\w*)
    |(?P<mark>==|!=|<=|>=|&&|\|\||//|[-+*/%<>!()\[\],.])
    |(?P<end>$)
    )""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r"}
_CONSTANTS: Final = {
    "true": True, "True": True, "false": False, "False": False, "null": None, "None": None, "none": None,
}  # fmt: skip
_SAME: Final = {"&&": "and", "||": "or", "!": "not"}
_RESERVED: Final = frozenset({"and", "or", "not", "in", "is", "if", "else", "lambda", "for"})


class _Parser:
    """One pass over the text, by recursive descent; each method returns the function of what it has read."""

    def __init__(self, text: str, classify: Classify) -> None:
        self.text = text
        self.classify = classify
        self.references: list[Reference] = []
        self.depth = 0
        self.at = 0
        self.kind = self.token = ""
        self.pending: Reference | None = None
        self.advance()

    def whole(self) -> Evaluate:
        compute = self.either()
        if self.kind != "end":
            raise self.unexpected()
        return compute

    def either(self) -> Evaluate:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InvalidExpressionError(f"an expression is nested deeper than {MAX_DEPTH} levels")
        parts = self.series("or", self.both)
        self.depth -= 1
        return parts[0] if len(parts) == 1 else lambda look: _first(parts, look, stop_at=True)

    def both(self) -> Evaluate:
        parts = self.series("and", self.negation)
        return parts[0] if len(parts) == 1 else lambda look: _first(parts, look, stop_at=False)

    def series(self, word: str, read: Callable[[], Evaluate]) -> list[Evaluate]:
        parts = [read()]
        while self.takes(word):
            parts.append(read())
        return parts

    def negation(self) -> Evaluate:
        negations = 0
        while self.takes("not"):
            negations += 1
        inner = self.comparison()
        if not negations:
            return inner
        odd = negations % 2 == 1
        return lambda look: bool(inner(look)) is not odd

    def comparison(self) -> Evaluate:
        first = self.sum()
        rest: list[tuple[Callable[[Any, Any], bool], Evaluate]] = []
        while (test := self.comparator()) is not None:
            rest.append((test, self.sum()))
        if not rest:
            return first

        def compare(look: Look) -> bool:
            left = first(look)
            for test, other in rest:
                right = other(look)
                if not test(left, right):
                    return False
                left = right
            return True

        return compare

    def comparator(self) -> Callable[[Any, Any], bool] | None:
        word = self.token if self.kind in ("mark", "word") else ""
        if word == "not":
            self.advance()
            self.expect("in")
            return lambda item, group: not _within(item, group)
        if word == "is":
            self.advance()
            return operator.is_not if self.takes("not") else operator.is_
        if test := _COMPARATORS.get(word):
            self.advance()
            return test
        return None

    def sum(self) -> Evaluate:
        return self.chain(self.product, ("+", "-"))

    def product(self) -> Evaluate:
        return self.chain(self.signed, ("*", "/", "//", "%"))

    def chain(self, read: Callable[[], Evaluate], marks: tuple[str, ...]) -> Evaluate:
        compute = read()
        while self.kind == "mark" and self.token in marks:
            reckon = _ARITHMETIC[self.token]
            self.advance()
            compute = _binary(reckon, compute, read())
        return compute

    def signed(self) -> Evaluate:
        negative = False
        while self.kind == "mark" and self.token in "+-":
            negative ^= self.token == "-"
            self.advance()
        inner = self.path()
        return (lambda look: -_number(inner(look))) if negative else inner

    def path(self) -> Evaluate:
        compute = self.atom()
        while self.kind == "mark" and self.token in (".", "["):
            if self.token == ".":
                self.advance()
                if self.kind != "word":
                    raise self.unexpected()
                compute = _inside(compute, _constant(self.token))
                self.advance()
            else:
                self.advance()
                compute = _inside(compute, self.either())
                self.expect("]")
        return compute

    def atom(self) -> Evaluate:
        kind, token, reference = self.kind, self.token, self.pending
        if kind == "mark" and token in ("(", "["):
            return self.group() if token == "(" else self.listed()
        if kind not in ("number", "text", "word", "reference") or token in _RESERVED:
            raise self.unexpected()
        self.advance()
        if reference is not None and kind == "reference":
            return self.refer(reference)
        if kind == "number":
            return _constant(float(token) if any(mark in token for mark in ".eE") else int(token))
        if kind == "text":
            return _constant(_ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), token[1:-1]))
        if token == "len" and self.takes("("):
            inner = self.either()
            self.expect(")")
            return lambda look: _length(inner(look))
        if token in _CONSTANTS:
            return _constant(_CONSTANTS[token])
        return self.refer(Reference("local", token))

    def refer(self, reference: Reference) -> Evaluate:
        self.references.append(reference)

        def value(look: Look) -> Any:
            found = look(reference)
            return None if found is ABSENT else found

        return value

    def group(self) -> Evaluate:
        self.advance()
        inner = self.either()
        self.expect(")")
        return inner

    def listed(self) -> Evaluate:
        self.advance()
        items: list[Evaluate] = []
        while not self.takes("]"):
            if items:
                self.expect(",")
            items.append(self.either())
        return lambda look: [item(look) for item in items]

    def takes(self, token: str) -> bool:
        """Whether the next token is this one; it is then consumed."""
        if self.kind not in ("mark", "word") or self.token != token:
            return False
        self.advance()
        return True

    def expect(self, token: str) -> None:
        if not self.takes(token):
            raise self.unexpected()

    def advance(self) -> None:
        start = len(self.text) - len(self.text[self.at :].lstrip())
        self.pending = None
        if self.text.startswith(("$", "{{"), start):
            return self.advance_over_reference(start)
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            raise InvalidExpressionError(f"{self.text!r}: {self.text[start]!r} at {start + 1} is not understood")
        self.kind = found.lastgroup or ""
        self.token = found[self.kind]
        if self.kind == "mark" and self.token in _SAME:
            self.kind, self.token = "word", _SAME[self.token]
        self.at = found.end()
        return None

    def advance_over_reference(self, start: int) -> None:
        try:
            found = reference_at(self.text, start, self.classify)
        except MissingPathError as cause:
            raise InvalidExpressionError(f"{self.text!r}: {cause.message}", hint=cause.hint) from cause
        if found is None:
            raise InvalidExpressionError(f"{self.text!r}: what begins at {start + 1} points at no node and no input")
        self.pending, self.at = found
        self.kind, self.token = "reference", self.text[start : self.at]

    def unexpected(self) -> InvalidExpressionError:
        what = f"{self.token!r} is out of place" if self.token else "something is missing at the end"
        return InvalidExpressionError(
            f"{self.text!r}: {what}", hint="use comparisons, and, or, not, in, arithmetic, len() and paths"
        )


def _constant(value: Any) -> Evaluate:
    return lambda look: value


def _binary(reckon: Callable[[Any, Any], Any], left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda look: reckon(left(look), right(look))


def _first(parts: Sequence[Evaluate], look: Look, *, stop_at: bool) -> Any:
    value: Any = None
    for part in parts:
        value = part(look)
        if bool(value) is stop_at:
            break
    return value


def _inside(compute: Evaluate, step: Evaluate) -> Evaluate:
    def inside(look: Look) -> Any:
        value, key = compute(look), step(look)
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise TypeError("an index is text or a whole number")
        return None if value is None else dig(value, (key,))

    return inside


def _length(value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise TypeError("len() takes text, a list or an object")


def _number(value: Any) -> Any:
    if isinstance(value, bool | str | list | tuple | Mapping) or value is None:
        raise TypeError("arithmetic takes numbers")
    return value


def _within(item: Any, group: Any) -> bool:
    if group is None:
        return False
    if isinstance(group, str):
        return isinstance(item, str) and item in group
    if isinstance(group, list | tuple | Mapping | set | frozenset):
        return item in group
    raise TypeError("'in' takes a list, an object or text")


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: left is not None and right is not None and bool(test(left, right))


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    return _number(left) + _number(right)


def _of_numbers(reckon: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: reckon(_number(left), _number(right))


_COMPARATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _within,
}
_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": _add,
    "-": _of_numbers(operator.sub),
    "*": _of_numbers(operator.mul),
    "/": _of_numbers(operator.truediv),
    "//": _of_numbers(operator.floordiv),
    "%": _of_numbers(operator.mod),
}


def _reason(cause: Exception) -> str:
    """What went wrong, in the words of Python, which name types and never values here."""
    text = str(cause)
    return text[:1].lower() + text[1:]
