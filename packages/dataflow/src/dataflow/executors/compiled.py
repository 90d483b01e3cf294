"""A statement's shape, compiled once for one driver: its text, its arguments, and how its rows are read.

Rule 1: SQLAlchemy compiles; its own value processors are bypassed. A column type may offer
        ``codec(driver) -> (encode | None, decode | None)``; a type without one needs no conversion.
Rule 2: reading arguments and rows is one generated expression each, as in `collections.namedtuple`: the loop over
        columns runs once, here. Only numbered names and the repr of strings are ever part of the generated text.
Rule 3: a bind parameter that the first query of a shape does not give is part of the shape and stays as built.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec.structs import replace

from dataflow.effects import FIRST, UNREAD, WHOLE, Query, Repeat, Row
from kailash._lazy import Late

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.dialects.postgresql import asyncpg, psycopg2
    from sqlalchemy.dialects.sqlite import pysqlite
    from sqlalchemy.engine.interfaces import Dialect
else:
    sa = Late("sqlalchemy")  # 110 ms: only when a statement is compiled
    asyncpg = Late("sqlalchemy.dialects.postgresql.asyncpg")
    psycopg2 = Late("sqlalchemy.dialects.postgresql.psycopg2")
    pysqlite = Late("sqlalchemy.dialects.sqlite.pysqlite")

Driver: TypeAlias = Literal["asyncpg", "psycopg2", "sqlite"]
Convert: TypeAlias = Callable[[Any], Any]
Reader: TypeAlias = Callable[[Iterable[Sequence[Any]], Mapping[str, Any]], list[Row]]
MOST_SHAPES: Final = 4096  # compiled statements kept; arbitrary: 100 models of 40 shapes

log = logging.getLogger("dataflow.sql")


class Compiled:
    """One statement for one driver."""

    __slots__ = ("arguments", "returns", "rows", "single", "sql", "table", "types", "writes")

    def __init__(self, sql: str, arguments: Convert, rows: Reader | None, query: Query) -> None:
        self.sql = sql
        self.single: Callable[[], Compiled] | None = None  # compiles the same as one statement, where *sql* is two
        self.arguments = arguments  # {bind name: value} -> values in the order of the text, encoded
        self.rows = rows  # driver's rows, {bind name: value} -> records; None: the statement returns none
        self.returns = rows is not None
        self.writes = query.writes
        self.table: sa.Table | None = None  # what a write changes: names the fields of a refused constraint
        self.types: Sequence[Any] = ()  # of its parameters, in the order of the text


class Compiler:
    """The compiled statements of one database and driver."""

    def __init__(self, driver: Driver, *, echo: bool = False) -> None:
        self._driver: Driver = driver
        self._echo = echo
        self._dialect: Dialect | None = None
        self.known: dict[Hashable, Compiled] = {}

    def compile(self, query: Query) -> Compiled:
        """Return the compiled statement of a shape; the caller has looked into `known` first."""
        compiled = self.known.get(query.shape)
        if compiled is None:
            compiled = self._compile(query)
            if len(self.known) >= MOST_SHAPES:
                self.known.pop(next(iter(self.known)), None)
            self.known[query.shape] = compiled
        return compiled

    def compile_repeat(self, repeat: Repeat) -> Compiled:
        """Return a compiled statement whose ``arguments`` turn all records into rows of arguments."""
        key = ("repeat", repeat.shape, repeat.names)
        compiled = self.known.get(key)
        if compiled is None:
            numbers = {name: number for number, name in enumerate(repeat.names)}
            compiled = self._compile(Query(key, repeat.build, numbers, writes=True), numbers)
            self.known[key] = compiled
        return compiled

    @property
    def dialect(self) -> Dialect:
        """SQLAlchemy's dialect of the driver."""
        if self._dialect is None:
            self._dialect = dialect(self._driver)
        return self._dialect

    def _compile(self, query: Query, numbers: Mapping[str, int] | None = None) -> Compiled:
        statement: Any = query.build()
        first = statement.get_execution_options().get(FIRST) if self._driver == "psycopg2" else None
        if first is None:
            return self._text(statement, query, numbers)
        command, bind, alone = first
        compiled = self._text(alone, query, numbers, f"{command} %s; ", bind)
        blank = replace(query, values=dict.fromkeys(query.values))  # what a user has written is kept by nobody
        compiled.single = partial(self._text, statement, blank)
        return compiled

    def _text(
        self, statement: Any, query: Query, numbers: Mapping[str, int] | None = None, command: str = "", bind: str = ""
    ) -> Compiled:
        """Compile *statement*; after *command*, which is given *bind*, where there is one."""
        columns = _returned(statement)
        if isinstance(statement, sa.Insert) and not columns:
            statement = statement.inline()  # else SQLAlchemy adds a RETURNING that nobody asked for
        text = statement.compile(dialect=self.dialect, compile_kwargs={"render_postcompile": True})
        sql, binds = text.string, _binds(text, query.values, self._driver)
        if command:
            sql, binds = command + sql, [(bind, None), *binds]
        if self._echo:
            log.info("%s", sql)
        arguments = arguments_reader(binds) if numbers is None else records_reader(binds, numbers)
        read = [(name, codec(type_, self._driver)[1]) for name, type_ in columns]
        rows = rows_reader(read, statement.get_execution_options().get(WHOLE)) if read else None
        compiled = Compiled(sql, arguments, rows, query)
        target = getattr(statement, "table", None)
        compiled.table = target if isinstance(target, sa.Table) else None
        compiled.types = [text.binds[name].type for name in text.positiontup or ()]
        return compiled


def dialect(driver: Driver) -> Dialect:
    """Return SQLAlchemy's dialect for *driver*, with positional parameters."""
    if driver == "asyncpg":
        made: Dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    elif driver == "psycopg2":
        made = psycopg2.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # the same
    else:
        made = pysqlite.dialect(paramstyle="qmark")
    return made


def codec(type_: Any, driver: Driver) -> tuple[Convert | None, Convert | None]:
    """Return the two conversions of a column type: Python -> driver, driver -> Python; None: as it is."""
    if (find := getattr(type_, "codec", None)) is not None:
        encode, decode = find(driver)
        return encode, decode
    if (item := getattr(type_, "item_type", None)) is not None:  # sqlalchemy.ARRAY
        return tuple(_each(convert) for convert in codec(item, driver))  # type: ignore[return-value]  # two of two
    if driver == "sqlite" and getattr(type_, "__visit_name__", "") == "boolean":
        return None, bool
    return None, None


def _each(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda items: [None if item is None else convert(item) for item in items]


def _returned(statement: Any) -> list[tuple[str, Any]]:
    """``[(name, type)]`` of the result columns, in order."""
    columns = getattr(statement, "exported_columns", ())
    return [(str(column.key), column.type) for column in columns]


def _binds(text: Any, values: Mapping[str, Any], driver: Driver) -> list[tuple[str | None, Any]]:
    """The parameters in the order of the text: (name, encode | None) or (None, fixed value)."""
    names = list(text.positiontup or ())
    given: list[tuple[str | None, Any]] = []
    for name in names:
        bind = text.binds[name]
        encode = codec(bind.type, driver)[0]
        if name in values:
            given.append((name, encode))
        elif bind.required:
            raise KeyError(f"the statement needs a value for {name!r}")
        else:
            fixed = bind.effective_value
            given.append((None, fixed if encode is None or fixed is None else encode(fixed)))
    return given


def arguments_reader(binds: Sequence[tuple[str | None, Any]]) -> Convert:
    """Return a function ``{name: value} -> tuple``; each bind is (name, encode | None) or (None, fixed value)."""
    parts, scope = [], {}
    for number, (name, given) in enumerate(binds):
        scope[f"c{number}"] = given
        if name is None:
            parts.append(f"c{number}")
        elif given is None:
            parts.append(f"v[{name!r}]")
        else:
            parts.append(f"None if (x := v[{name!r}]) is None else c{number}(x)")
    return _function(f"lambda v: ({''.join(f'({part}), ' for part in parts)})", scope)


def records_reader(binds: Sequence[tuple[str | None, Any]], numbers: Mapping[str, int]) -> Convert:
    """Return a function from many records to a list of argument tuples; *numbers*: each name's place in a record."""
    scope = {f"c{number}": given for number, (_, given) in enumerate(binds)}
    parts = []
    for number, (name, given) in enumerate(binds):
        value = f"r{numbers[name]}" if name is not None else ""
        parts.append(_converted(value, number, given) if value else f"c{number}")
    row = "".join(f"r{number}, " for number in range(len(numbers)))
    return _function(f"lambda rows: [({''.join(f'{part}, ' for part in parts)}) for {row} in rows]", scope)


def rows_reader(columns: Sequence[tuple[str, Convert | None]], whole: Mapping[str, str | None] | None = None) -> Reader:
    """Return a function from a driver's rows to records, of columns (name, decode | None); one is `UNREAD`.

    Its second argument is what the statement was given. whole: as `WHOLE`, where a record has more than the columns.
    """
    scope = {f"c{number}": decode for number, (_, decode) in enumerate(columns)}
    read = {name: _read(number, decode) for number, (name, decode) in enumerate(columns) if name != UNREAD}
    known = {name: None if bind is None else f"v[{bind!r}]" for name, bind in (whole or {}).items()}
    record = ", ".join(f"{name!r}: {value}" for name, value in {**known, **read}.items())
    row = "".join(f"r{number}, " for number in range(len(columns)))
    return _function(f"lambda rows, v: [{{{record}}} for {row} in rows]", scope)


def tuples_reader(encoders: Sequence[Convert | None]) -> Callable[[Iterable[Sequence[Any]]], list[tuple[Any, ...]]]:
    """Return a function that encodes records, given as sequences, for a bulk load."""
    scope = {f"c{number}": encode for number, encode in enumerate(encoders)}
    parts = "".join(f"{_read(number, encode)}, " for number, encode in enumerate(encoders))
    row = "".join(f"r{number}, " for number in range(len(encoders)))
    return _function(f"lambda rows: [({parts}) for {row} in rows]", scope)


def _read(number: int, convert: Convert | None) -> str:
    return _converted(f"r{number}", number, convert)


def _converted(value: str, number: int, convert: Convert | None) -> str:
    return value if convert is None else f"(None if {value} is None else c{number}({value}))"


def _function(text: str, scope: dict[str, Any]) -> Callable[..., Any]:
    """Make the function of *text*, which this module wrote from numbers and the repr of names alone."""
    made: Callable[..., Any] = eval(text, scope)
    return made
