"""What is older in one Python file, and what of it can be brought up to date.

Names are followed through imports and their aliases (LibCST's qualified names), classes that extend `DataFlow`, and
`functools.partial`; a `DataFlow` that no import names is taken for ours, any other name is not. The surprise:
``skip_migration`` is the opposite of its new name, so its value is negated.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, CodeSpan, MetadataWrapper, QualifiedNameProvider

from dataflow import options
from dataflow.upgrade import edits
from dataflow.upgrade.finding import MOVED, Finding, Upgraded
from kailash.errors import InvalidInputError, did_you_mean

MAKERS: Final = frozenset({"dataflow.DataFlow", "dataflow.database.DataFlow", "dataflow.core.engine.DataFlow"})
OFF: Final = (  # keyword, value, and how it is said: what a fast start was had by
    ("auto_migrate", "False", "auto_migrate=False"),
    ("skip_migration", "True", "migration_enabled=False"),
)
SIMPLE: Final = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)  # what `not` needs no brackets before


def upgraded(text: str) -> Upgraded:
    """Return what becomes of *text*, a Python module. Raises: InvalidInputError when it is no Python."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes in texts, which are none of ours
            ast.parse(text)  # sets a limit to brackets in brackets, which LibCST does not survive
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, cst.ParserSyntaxError) as fault:
        line = getattr(fault, "lineno", None) or getattr(fault, "raw_line", None)
        raise InvalidInputError(f"is no Python that can be parsed{f', at line {line}' if line else ''}") from fault
    reader = _Reader(text)
    with reader.resolve(wrapper):
        reader.read([*_below(wrapper.module)])
    source = edits.apply(reader.text, reader.edits).decode()
    cst.parse_module(source)  # what we leave behind is Python, or nothing is left behind
    return Upgraded(
        source,
        changes=tuple(sorted(reader.changes)),
        undecided=tuple(sorted(reader.undecided)),
        mentions=tuple(sorted(reader.mentions)),
        elsewhere=reader.elsewhere,
    )


class _Reader(cst.MetadataDependent):
    METADATA_DEPENDENCIES = (ByteSpanPositionProvider, QualifiedNameProvider)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text.encode()
        self.edits: list[edits.Edit] = []
        self.changes: list[Finding] = []
        self.undecided: list[Finding] = []
        self.mentions: list[Finding] = []
        self.elsewhere = False  # whether keywords of `DataFlow` come from something else than its call
        self._heirs: set[str] = set()  # classes of this module whose keywords are those of `DataFlow`
        self._whole: set[str] = set()  # older modules that are used as modules, so that their import must stay

    def read(self, nodes: Sequence[cst.CSTNode]) -> None:
        """Find what is older in the nodes of a module, given in the order of the text."""
        for node in nodes:
            match node:
                case cst.ClassDef():
                    self._class(node)
                case cst.Attribute():
                    self._attribute(node)
                case _:
                    pass
        for node in nodes:
            match node:
                case cst.ImportFrom(module=cst.Name() | cst.Attribute() as module, relative=()):
                    self._import_from(node, _dotted(module))
                case cst.Import():
                    self._import(node)
                case cst.Call():
                    self._call(node)
                case cst.SimpleString():
                    self._string(node)
                case _:
                    pass

    # -- older addresses -------------------------------------------------------------------------------------

    def _import_from(self, node: cst.ImportFrom, module: str) -> None:
        if isinstance(node.names, cst.ImportStar):
            if module in MOVED:
                self._tell(node, f"{module} is an older address, and * does not say what is taken from it")
            return
        names = [alias.evaluated_name for alias in node.names]
        if (moved := MOVED.get(module)) is not None and node.module is not None:
            if {*names} - {moved.name}:
                self._tell(node, f"{module} is an older address, which has {moved.name} and nothing else")
            else:
                self._replace(node.module, moved.home, moved.said, node)
            return
        for name in names:
            if (moved := MOVED.get(f"{module}.{name}")) is None:
                continue
            if len(names) > 1:
                self._tell(node, f"{module}.{name} is an older address: import {moved.home} instead")
            else:
                self._replace(node, f"import {moved.home} as {_bound(node.names[0])}", moved.said, node)

    def _import(self, node: cst.Import) -> None:
        for alias in node.names:
            name = alias.evaluated_name
            if (moved := MOVED.get(name)) is None:
                continue
            if name in self._whole and alias.asname is None:
                self._tell(node, f"{name} is an older address, and is used here as a module")
            else:
                self._replace(alias.name, moved.home, moved.said, node if len(node.names) == 1 else None)

    def _attribute(self, node: cst.Attribute) -> None:
        """Rewrite ``dataflow.core.engine.DataFlow``; see whether its module is used otherwise."""
        name = _dotted(node)
        home, _, last = name.rpartition(".")
        moved = MOVED.get(home)
        if moved is None or not self._imported(node.value, home):
            return
        if last == moved.name:
            self._replace(node, f"{moved.home}.{moved.name}", moved.said)
        else:
            self._whole.add(home)
            self._tell(node, f"{home} is an older address, which has {moved.name} and nothing else")

    def _string(self, node: cst.SimpleString) -> None:
        value = node.evaluated_value
        if not isinstance(value, str):
            return
        for older, moved in MOVED.items():
            if re.fullmatch(rf"{re.escape(older)}([.:]\w+)*", value):
                self._tell(node, f"the text {value!r} names an older address: it is {moved.home} now")
        if value in OLDER:
            self.mentions.append(self._found(node, f"the text {value!r}: {_said(value)}"))

    # -- older keywords --------------------------------------------------------------------------------------

    def _class(self, node: cst.ClassDef) -> None:
        if not any(self._called(base.value) & MAKERS for base in node.bases):
            return
        methods = {each.name.value: each for each in _below(node.body) if isinstance(each, cst.FunctionDef)}
        if "__init__" not in methods:
            self._heirs.add(node.name.value)
            return
        for each in _below(methods["__init__"]):
            match each:
                case cst.Call(func=cst.Attribute(attr=cst.Name("__init__"), value=cst.Call(func=cst.Name("super")))):
                    self._keywords(each, each.args)
                case _:
                    pass

    def _call(self, node: cst.Call) -> None:
        called = self._called(node.func)
        unbound = not called and isinstance(node.func, cst.Name) and node.func.value == "DataFlow"
        if unbound or called & (MAKERS | self._heirs):
            self._keywords(node, node.args)
        elif "functools.partial" in called and node.args and self._called(node.args[0].value) & MAKERS:
            self._keywords(node, node.args[1:], floor=node.args[0])
        else:
            name = _dotted(node.func) or "something"
            likely = name.rpartition(".")[2] == "DataFlow"
            for arg in node.args:
                if arg.keyword is not None and arg.keyword.value in OLDER:
                    said = f"{name} is given {arg.keyword.value!r}: {_said(arg.keyword.value)}"
                    (self.undecided if likely else self.mentions).append(self._found(arg, said))

    def _keywords(self, call: cst.Call, args: Sequence[cst.Arg], floor: cst.Arg | None = None) -> None:
        """Bring the keywords of one call of `DataFlow` up to date."""
        given = {arg.keyword.value: arg for arg in args if arg.keyword is not None}
        dropped: list[edits.Argument] = []
        end = self._end(floor.value) if floor is not None else self._opened(call)
        for arg in args:
            place = self._argument(arg, end)
            if arg.star == "**":
                self.elsewhere = True
                self._tell(arg, f"the keywords of DataFlow come from {_source(arg.value)}: look there for older names")
            if arg.keyword is not None and self._keyword(arg, arg.keyword, place, given):
                dropped.append(place)
            else:
                end = place.end
        self.edits += edits.without(self.text, dropped)
        off = [spelled for name, value, spelled in OFF if name in given and _is(given[name], value)]
        if off and given.keys() & OLDER.keys():
            self._tell(
                call, f"{' and '.join(off)} stays, so no table is made: leave that out if it was for a fast start"
            )

    def _keyword(self, arg: cst.Arg, keyword: cst.Name, place: edits.Argument, given: Mapping[str, cst.Arg]) -> bool:
        """Bring one keyword up to date; return whether its argument is to be dropped."""
        name = keyword.value
        if name in options.RENAMED:
            return self._renamed(arg, keyword, place, given)
        if name in options.NEEDLESS:
            if any(isinstance(each, cst.Call | cst.Await | cst.NamedExpr) for each in _below(arg.value)):
                self._tell(arg, f"{name} changes nothing any more, but its value does something: take it out by hand")
                return False
            self.changes.append(self._found(arg, _said(name)))
            return True
        if name not in options.Options.__struct_fields__:
            hint = did_you_mean(name, options.Options.__struct_fields__)
            self._tell(arg, f"DataFlow has no option {name!r}; {hint}")
        return False

    def _renamed(self, arg: cst.Arg, keyword: cst.Name, place: edits.Argument, given: Mapping[str, cst.Arg]) -> bool:
        """Give a keyword its new name; return whether it is to be dropped, as it says what the new name says too."""
        name, renamed = keyword.value, options.RENAMED[keyword.value]
        value = self._negated(arg.value) if renamed.inverted else self._value(arg.value)
        if (twin := given.get(renamed.now)) is not None:
            if self._value(twin.value) != value:
                self._tell(arg, f"{name} is now {renamed.now}, which is given too: keep one of them")
                return False
            self.changes.append(self._found(arg, _said(name)))
            return True
        self._replace(keyword, renamed.now, _said(name))
        self.edits += self._around(arg.value, value)
        moved = len(renamed.now) - len(name) + len(value) - len(self._value(arg.value))
        self.edits += edits.column_kept(self.text, moved, place.start, place.after)
        return False

    def _negated(self, value: cst.BaseExpression) -> bytes:
        said = self._value(value)
        match value:
            case cst.Name("True"):
                return b"False"
            case cst.Name("False"):
                return b"True"
            case _:
                bare = isinstance(value, SIMPLE) or bool(value.lpar)
                return b"not " + (said if bare else b"(%s)" % said)

    def _around(self, value: cst.BaseExpression, now: bytes) -> list[edits.Edit]:
        """Return the edits that make *value* read *now*, leaving alone what it keeps of itself."""
        (start, end), said = self._bracketed(value), self._value(value)
        before, kept, after = now.partition(said)
        if not kept:
            return [edits.Edit(start, end, now)]
        return [edits.Edit(at, at, more) for at, more in ((start, before), (end, after)) if more]

    def _bracketed(self, value: cst.BaseExpression) -> tuple[int, int]:
        """Return where *value* begins and ends, its own brackets included."""
        first, last = value.lpar[:1], value.rpar[-1:]
        return self._span(first[0] if first else value).start, self._end(last[0] if last else value)

    def _value(self, value: cst.BaseExpression) -> bytes:
        start, end = self._bracketed(value)
        return self.text[start:end]

    # -- where things are ------------------------------------------------------------------------------------

    def _called(self, node: cst.BaseExpression) -> set[str]:
        return {each.name for each in self.get_metadata(QualifiedNameProvider, node, ())}

    def _imported(self, node: cst.BaseExpression, name: str) -> bool:
        return name in self._called(node)

    def _replace(self, node: cst.CSTNode, text: str, said: str, statement: cst.CSTNode | None = None) -> None:
        """Put *text* in the place of *node*, the one change of *statement* if that is given."""
        start, end = self._span(node).start, self._end(node)
        self.edits.append(edits.Edit(start, end, text.encode()))
        if statement is not None:
            self.edits += edits.column_kept(self.text, len(text) - (end - start), start, self._end(statement))
        self.changes.append(self._found(node, said))

    def _argument(self, arg: cst.Arg, floor: int) -> edits.Argument:
        span = self._span(arg)
        after = self._end(arg.comma) if isinstance(arg.comma, cst.Comma) else span.start + span.length
        return edits.Argument(floor, span.start, span.start + span.length, after)

    def _opened(self, call: cst.Call) -> int:
        return self.text.index(b"(", self._end(call.func)) + 1

    def _span(self, node: cst.CSTNode) -> CodeSpan:
        span: CodeSpan = self.get_metadata(ByteSpanPositionProvider, node)
        return span

    def _end(self, node: cst.CSTNode) -> int:
        span = self._span(node)
        return span.start + span.length

    def _found(self, node: cst.CSTNode, said: str) -> Finding:
        return Finding(self.text.count(b"\n", 0, self._span(node).start) + 1, said)

    def _tell(self, node: cst.CSTNode, said: str) -> None:
        self.undecided.append(self._found(node, said))


OLDER: Final[Mapping[str, str]] = {name: f"{name} is now {each.spelling}" for name, each in options.RENAMED.items()} | {
    name: f"{name} is no longer needed: {why}" for name, why in options.NEEDLESS.items()
}


def _said(name: str) -> str:
    return OLDER[name]


def _below(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield *node* and everything inside it, in the order of the text."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += reversed(each.children)


def _dotted(node: cst.BaseExpression) -> str:
    """Return ``a.b.c``, or "" for what is no chain of names."""
    match node:
        case cst.Name(value=name):
            return name
        case cst.Attribute(value=before, attr=cst.Name(value=name)):
            head = _dotted(before)
            return f"{head}.{name}" if head else ""
        case _:
            return ""


def _bound(alias: cst.ImportAlias) -> str:
    return alias.evaluated_alias or alias.evaluated_name


def _source(node: cst.BaseExpression) -> str:
    name = _dotted(node)
    return f"**{name}" if name else "** of an expression"


def _is(arg: cst.Arg, value: str) -> bool:
    return isinstance(arg.value, cst.Name) and arg.value.value == value
