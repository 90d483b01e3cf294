"""Conditions, orders and changes as SQL: the only place where fields meet columns. Imports SQLAlchemy.

Rule 1: equal shapes give equal SQL text; every value travels as a bind parameter, named as in `query.binding`.
Rule 2: a condition is true or false in SQL too: where a null could make it unknown, the SQL says what it is.
Rule 3: what the two databases write differently is one element, `ByDialect`, which is settled at compilation.

On SQLite some elements call functions that `dataflow.executors.sqlite_functions` registers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, assert_never

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from dataflow.query.assign import Assignment
from dataflow.query.binding import AFTER, KEY, OPERAND, Ready
from dataflow.query.ordering import Order
from kailash.conditions import EVERYTHING, All, Not, Some, Test, Where
from kailash.errors import InvalidInputError, Problem

NOTHING_ASKED: Final[Hashable] = EVERYTHING.shape
Condition = sa.ColumnElement[bool]
_Build = Callable[[sa.Column[Any], Sequence[sa.BindParameter[Any]]], Condition]


class ByDialect(sa.ColumnElement[Any]):
    """An expression that PostgreSQL and SQLite write differently."""

    inherit_cache = False  # statements are compiled once for each shape, and kept by the executors

    def __init__(self, on_postgresql: sa.ColumnElement[Any], on_sqlite: sa.ColumnElement[Any]) -> None:
        self.on_postgresql = on_postgresql
        self.on_sqlite = on_sqlite
        self.type = on_postgresql.type

    def self_group(self, against: Any = None) -> Any:
        """Stand in parentheses wherever it is part of something."""
        return sa.sql.elements.Grouping(self)


@compiles(ByDialect)
def _write(element: ByDialect, compiler: SQLCompiler, **keywords: Any) -> str:
    chosen = element.on_postgresql if compiler.dialect.name == "postgresql" else element.on_sqlite
    return compiler.process(chosen, **keywords)


class Several(sa.types.UserDefinedType[Any]):
    """Many values of a column's type in one bind parameter: an array, or JSON text on SQLite."""

    cache_ok = False

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        self.item = item

    def get_col_spec(self, **_: Any) -> str:
        """The array type of PostgreSQL."""
        return parameter_type(self.item) + "[]"

    def codec(self, driver: str) -> tuple[Callable[[Any], Any] | None, None]:
        """Return how *driver* is given the list; nothing is ever read back as one."""
        of_item = getattr(self.item, "codec", None)
        encode = of_item(driver)[0] if of_item else None
        if driver == "sqlite":
            return lambda values: _json_text(values if encode is None else map(encode, values)), None
        return (None if encode is None else lambda values: list(map(encode, values))), None


def parameter_type(type_: sa.types.TypeEngine[Any]) -> str:
    """Return the type of a parameter on PostgreSQL, without length, precision or collation: it takes values whole."""
    spelled = re.sub(r"\([^)]*\)| COLLATE .*", "", type_.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    return "TEXT" if spelled == "VARCHAR" else spelled


def condition(table: sa.Table, where: Where, prefix: str = OPERAND, *, by_id: bool = False) -> Condition:
    """Return *where* over the columns of *table*, with the binds of ``binding.parameters(where, prefix)``.

    by_id: of the one record that an id finds. PostgreSQL would find it by an index of its tenant and its id as well,
    which is the wider; what is asked as IS NOT DISTINCT FROM no index answers.
    """
    return _condition(table, where, (f"{prefix}{number}" for number in count()), _BUILDS_BY_ID if by_id else _BUILDS)


def order_by(table: sa.Table, order: Sequence[Order]) -> list[sa.ColumnElement[Any]]:
    """Return the keys of ORDER BY."""
    return [_sorted(table.c[key.field], descending=key.descending) for key in order]


def keyset(table: sa.Table, order: Sequence[Order], nulls: Sequence[bool]) -> Condition:
    """Return the condition of the records after a cursor, whose values are bound as ``_after0``, ``_after1``, ...

    nulls: for each key of *order*, whether the cursor stands at a null; that changes the SQL.
    """
    keys = [
        _Key(table.c[key.field], key.descending, null, sa.bindparam(f"{AFTER}{at}", type_=table.c[key.field].type))
        for at, (key, null) in enumerate(zip(order, nulls, strict=True))
    ]
    plain = not any(key.column.nullable for key in keys)
    if plain and len({key.descending for key in keys}) == 1:
        return _row_after(keys)
    return _after(keys)


def assignment(column: sa.Column[Any], change: Assignment, name: str) -> sa.ColumnElement[Any]:
    """Return what the column is set to; *name* is the bind name of the change's value."""
    value = sa.bindparam(name, type_=column.type)
    if change.operator != "set":
        readable(column, "calculated with")
    match change.operator:
        case "set":
            return value
        case "inc":
            return ByDialect(column + value, sa.func.dataflow_add(column, value, type_=column.type))
        case "dec":
            return ByDialect(column - value, sa.func.dataflow_subtract(column, value, type_=column.type))
        case "mul":
            return ByDialect(column * value, sa.func.dataflow_multiply(column, value, type_=column.type))
        case _:
            assert_never(change.operator)


def among(table: sa.Table, fields: Sequence[str], prefix: str = KEY) -> Condition:
    """Return the condition that the values of *fields* are together in the lists ``_key0``, ``_key1``, ..."""
    columns = [table.c[field] for field in fields]
    binds = [sa.bindparam(f"{prefix}{at}", type_=Several(column.type)) for at, column in enumerate(columns)]
    if len(columns) == 1:
        return _member(columns[0], binds)
    casts = [sa.cast(bind, bind.type) for bind in binds]
    arrays = sa.func.unnest(*casts).table_valued(*fields, name="keys").render_derived()
    each = [sa.func.json_each(bind).table_valued("key", "value", name=f"keys{at}") for at, bind in enumerate(binds)]
    listed = sa.select(*[one.c.value for one in each]).where(*[each[0].c.key == one.c.key for one in each[1:]])
    return ByDialect(sa.tuple_(*columns).in_(sa.select(*arrays.c)), sa.tuple_(*map(_json_key, columns)).in_(listed))


# -- conditions ----------------------------------------------------------------------------------------------


def _condition(table: sa.Table, where: Where, names: Iterator[str], builds: Mapping[str, _Build]) -> Condition:
    match where:
        case Test():
            return _test(table.c[where.field], where, names, builds)
        case Ready() if where.bound:
            own = iter(where.bound)
            return sa.and_(*[_condition(table, part, own, builds) for part in where.parts])
        case All():
            return sa.and_(sa.true(), *[_condition(table, part, names, builds) for part in where.parts])
        case Some():
            return sa.or_(sa.false(), *[_condition(table, part, names, builds) for part in where.parts])
        case Not():
            return _grouped(_condition(table, where.part, names, builds)).is_not(sa.true())
        case _:
            assert_never(where)


def _test(column: sa.Column[Any], test: Test, names: Iterator[str], builds: Mapping[str, _Build]) -> Condition:
    if test.operator == "null":
        return column.is_(None) if test.value else column.is_not(None)
    if (search := getattr(column.type, "search", None)) is not None:
        length, several = search(test.operator)
        return _begins(column, test, length, several, next(names))
    type_: Any = _TYPES.get(test.operator, lambda type_: type_)(column.type)
    binds = [sa.bindparam(next(names), type_=type_) for _ in test.values]
    return builds[test.operator](column, binds)


def _begins(column: sa.Column[Any], test: Test, length: int, several: Any, name: str) -> Condition:
    """Compare how encrypted values begin: with the digest of the plain value, under any of the keys."""
    bind = sa.bindparam(name, type_=several)
    begins = sa.func.substr(column, sa.literal_column("1"), sa.literal_column(str(length)), type_=sa.LargeBinary())
    listed = sa.select(sa.func.json_each(bind).table_valued("value").c.value)
    found = ByDialect(begins == sa.any_(sa.cast(bind, bind.type)), sa.func.hex(begins).in_(listed))
    if test.operator in ("eq", "in"):
        return found
    return sa.or_(column.is_(None), sa.not_(_grouped(found)))


def readable(column: sa.Column[Any], what: str) -> sa.Column[Any]:
    """Return *column*, whose values the database can read. Raises: InvalidInputError for an encrypted one."""
    if hasattr(column.type, "search"):
        words = f"{str(column.name)!r} is encrypted and cannot be {what}"
        raise InvalidInputError(words, problems=[Problem(str(column.name), "encrypted", words)])
    return column


def _grouped(inside: Condition) -> sa.ColumnElement[bool]:
    return sa.sql.elements.Grouping(inside)


def _unequal(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    return column.is_distinct_from(binds[0]) if column.nullable else column != binds[0]


def _between(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    """Two comparisons: PostgreSQL's BETWEEN takes no COLLATE, which SQLAlchemy writes with a text bound for asyncpg."""
    return sa.and_(column >= binds[0], column <= binds[1])


def _member(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    array = sa.cast(binds[0], binds[0].type)
    listed = sa.select(sa.func.json_each(binds[0]).table_valued("value").c.value)
    return ByDialect(column == sa.any_(array), _json_key(column).in_(listed))


def _no_member(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    outside = sa.not_(_grouped(_member(column, binds)))
    return sa.or_(column.is_(None), outside) if column.nullable else outside


def _json_key(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """What compares with a member of a JSON list on SQLite; JSON has no bytes, and its floats lose a bit."""
    return sa.func.dataflow_key(column) if isinstance(column.type, _UNLIKE_JSON) else column


def _like(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    """Escaped by a backslash, which PostgreSQL does unless told otherwise."""
    return ByDialect(column.like(binds[0]), column.like(binds[0], escape="\\"))


def _found(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    return ByDialect(column.op("~", is_comparison=True)(binds[0]), sa.func.regexp(binds[0], column, type_=sa.Boolean()))


def _same(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    return ByDialect(column == binds[0], sa.func.dataflow_json_same(column, binds[0], type_=sa.Boolean()))


def _has(column: sa.Column[Any], binds: Sequence[sa.BindParameter[Any]]) -> Condition:
    contained = column.op("@>", is_comparison=True)(binds[0])
    return ByDialect(contained, sa.func.dataflow_json_has(column, binds[0], type_=sa.Boolean()))


_UNLIKE_JSON: Final = (sa.Float, sa.LargeBinary)
_TEXT: Final = ("contains", "startswith", "endswith", "like", "icontains", "istartswith", "iendswith", "ilike", "regex")
_TYPES: Final[Mapping[str, Callable[[Any], Any]]] = {  # the bind's type, where it is not the column's
    **dict.fromkeys(("in", "nin"), Several),
    **dict.fromkeys(_TEXT, lambda _: sa.Text()),
}
_BUILDS: Final[Mapping[str, _Build]] = {
    "eq": lambda column, binds: column == binds[0],
    "ne": _unequal,
    "gt": lambda column, binds: column > binds[0],
    "gte": lambda column, binds: column >= binds[0],
    "lt": lambda column, binds: column < binds[0],
    "lte": lambda column, binds: column <= binds[0],
    "in": _member,
    "nin": _no_member,
    "between": _between,
    **dict.fromkeys(("contains", "startswith", "endswith", "like"), _like),
    **dict.fromkeys(("icontains", "istartswith", "iendswith", "ilike", "regex"), _found),
    "same": _same,
    "has": _has,
}
_BUILDS_BY_ID: Final = {**_BUILDS, "eq": lambda column, binds: column.is_not_distinct_from(binds[0])}


def _json_text(values: Any) -> str:
    """Return a JSON list of what SQLite stores: bytes in hexadecimal, a float as its shortest text."""
    return msgspec.json.encode([_json_member(value) for value in values]).decode()


def _json_member(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return repr(value + 0.0) if isinstance(value, float) else value  # -0.0 equals 0.0


# -- order ---------------------------------------------------------------------------------------------------


class _Key(msgspec.Struct, frozen=True):
    """One key of an order, and where a cursor stands in it."""

    column: sa.Column[Any]
    descending: bool
    null: bool
    bound: sa.BindParameter[Any]

    def beyond(self) -> Condition:
        """Values that come after the cursor's; a null comes after every value when ascending."""
        if self.null:
            return self.column.is_not(None) if self.descending else sa.false()
        if self.descending:
            return self.column < self.bound
        later = self.column > self.bound
        return sa.or_(later, self.column.is_(None)) if self.column.nullable else later

    def here(self) -> Condition:
        """Values that are the cursor's own."""
        return self.column.is_(None) if self.null else self.column == self.bound


def _sorted(column: sa.Column[Any], *, descending: bool) -> sa.ColumnElement[Any]:
    readable(column, "sorted by")
    key = column.desc() if descending else column.asc()
    if not column.nullable:
        return key
    return key.nulls_first() if descending else key.nulls_last()


def _row_after(keys: Sequence[_Key]) -> Condition:
    """One comparison of rows, which an index answers."""
    if len(keys) == 1:
        return keys[0].beyond()
    columns, bound = sa.tuple_(*[key.column for key in keys]), sa.tuple_(*[key.bound for key in keys])
    return columns < bound if keys[0].descending else columns > bound


def _after(keys: Sequence[_Key]) -> Condition:
    """The first key is beyond, or it is the same and the rest comes after."""
    first, rest = keys[0], keys[1:]
    if not rest:
        return first.beyond()
    return sa.or_(first.beyond(), sa.and_(first.here(), _after(rest)))
