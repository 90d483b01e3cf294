"""Reads the text of CREATE TABLE that SQLite keeps, for what its pragmas do not tell.

These are collations, checks, computed columns, the names of constraints, AUTOINCREMENT, STRICT, WITHOUT ROWID.
Grammar: https://www.sqlite.org/lang_createtable.html. SQLite has accepted the text, so what is not known here is
passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from dataflow.schema.state import Check

_TOKEN: Final = re.compile(
    r"""--[^\n]*|/\*.*?\*/|\s+"""  # nothing
    r"""|(?P<token>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*'|[^\W\d][\w$]*|\d[\w.]*|.)""",
    re.DOTALL,
)
_TABLE_RULES: Final = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


class Written(msgspec.Struct, frozen=True):
    """What the text of one table says."""

    collations: dict[str, str] = {}  # of columns
    generated: dict[str, str] = {}
    checks: tuple[Check, ...] = ()
    key_names: dict[tuple[str, ...], str] = {}  # columns of a foreign key -> its name
    primary_key_name: str = ""
    autoincrement: bool = False
    options: tuple[str, ...] = ()


class _Token(msgspec.Struct, frozen=True):
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        return self.text.upper()


def read(sql: str) -> Written:
    """Return what *sql*, a CREATE TABLE, says."""
    found = (match for match in _TOKEN.finditer(sql) if match["token"] is not None)
    tokens = [_Token(match["token"], match.start(), match.end()) for match in found]
    first = next((place for place, token in enumerate(tokens) if token.text == "("), None)
    if first is None:
        return Written()
    last = _closing(tokens, first)
    collations: dict[str, str] = {}
    generated: dict[str, str] = {}
    key_names: dict[tuple[str, ...], str] = {}
    checks: list[Check] = []
    primary_key_name, counted = "", False
    for part in _parts(tokens[first + 1 : last]):
        column = "" if part[0].word in _TABLE_RULES else unquoted(part[0].text)
        for name, words in _clauses(part if not column else part[1:]):
            match words[0].word:
                case "CHECK":
                    checks.append(Check(name, _inside(sql, words, 1)))
                case "COLLATE" if column:
                    collations[column] = unquoted(words[1].text)
                case "GENERATED" | "AS" if column:
                    generated[column] = _inside(sql, words, next(i for i, w in enumerate(words) if w.text == "("))
                case "PRIMARY":
                    primary_key_name = name
                    counted = counted or any(word.word == "AUTOINCREMENT" for word in words)
                case "REFERENCES" if column:
                    key_names[(column,)] = name
                case "FOREIGN":
                    key_names[_names(words)] = name
                case _:
                    pass
    options = " ".join(token.word for token in tokens[last + 1 :])
    kept = tuple(word for word in ("STRICT", "WITHOUT ROWID") if word in options)
    named = {columns: name for columns, name in key_names.items() if name}
    return Written(collations, generated, tuple(checks), named, primary_key_name, counted, kept)


def unquoted(name: str) -> str:
    """Return an identifier without its quotes."""
    if name[:1] in ('"', "`"):
        return name[1:-1].replace(name[0] * 2, name[0])
    return name[1:-1] if name[:1] == "[" else name


def _parts(tokens: Sequence[_Token]) -> Iterator[Sequence[_Token]]:
    """Part the body at the commas that stand in no parentheses."""
    begin, depth = 0, 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            yield tokens[begin:place]
            begin = place + 1
    if tokens[begin:]:
        yield tokens[begin:]


_CLAUSES: Final = frozenset(
    {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "COLLATE", "GENERATED", "AS", "REFERENCES", "NOT", "NULL",
     "DEFAULT"}
)  # fmt: skip


def _clauses(tokens: Sequence[_Token]) -> Iterator[tuple[str, Sequence[_Token]]]:
    """Yield ``(name of the constraint, tokens)`` of each clause of a column or a table constraint."""
    starts, depth, foreign = [], 0, False
    for place, token in enumerate(tokens):
        if depth == 0 and token.word in _CLAUSES and not (foreign and token.word == "REFERENCES"):
            computed = token.word == "AS" and place and tokens[place - 1].word == "ALWAYS"
            nothing = token.word == "NULL" and place and tokens[place - 1].word in ("NOT", "SET", "DEFAULT")
            if not computed and not nothing:
                starts.append(place)
                foreign = foreign or token.word == "FOREIGN"
        depth += (token.text == "(") - (token.text == ")")
    name = ""
    for begin, end in pairwise([*starts, len(tokens)]):
        words = tokens[begin:end]
        if words[0].word == "CONSTRAINT":
            name = unquoted(words[1].text)
        else:
            yield name, words
            name = ""


def _inside(sql: str, words: Sequence[_Token], place: int) -> str:
    """Return the text between the parenthesis at *place* and its partner."""
    return sql[words[place].end : words[_closing(words, place)].start].strip()


def _closing(tokens: Sequence[_Token], place: int) -> int:
    depth = 0
    for number in range(place, len(tokens)):
        depth += (tokens[number].text == "(") - (tokens[number].text == ")")
        if depth == 0:
            return number
    return len(tokens) - 1


def _names(words: Sequence[_Token]) -> tuple[str, ...]:
    begin = next(place for place, word in enumerate(words) if word.text == "(")
    inside = words[begin + 1 : _closing(words, begin)]
    return tuple(unquoted(word.text) for word in inside if word.text != ",")
