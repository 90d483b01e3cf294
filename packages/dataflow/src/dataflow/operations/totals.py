"""Groups, totals and expressions as SQL. Imports SQLAlchemy.

Rule: both databases, and Python, give the same answer. A Decimal that is divided (an average too) has 16 decimal
places, rounded half up; what goes beyond 64 bits is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import add, mul, sub
from typing import Any, Final, assert_never

import sqlalchemy as sa

from dataflow.model.types import DECIMAL_COLLATION, plain_type
from dataflow.operations.expressions import Call, Column, Constant, Expression
from dataflow.operations.values import Measure
from dataflow.query.binding import CONSTANT
from dataflow.query.render import ByDialect, readable

Element = sa.ColumnElement[Any]
PLACES: Final = 16  # of a divided Decimal; PostgreSQL's own divisions have 16 significant digits at least
_MORE: Final[Element] = sa.literal_column("0." + "0" * (PLACES + 4))  # makes PostgreSQL divide to 20 places


def group(table: sa.Table, field: str, unit: str) -> Element:
    """Return what records are grouped by: a field, or the beginning of its year, month, day, ..."""
    column = readable(table.c[field], "grouped by")
    if not unit:
        return column
    named: Element = sa.literal_column(f"'{unit}'")
    if isinstance(column.type, sa.Date):
        day = sa.cast(sa.func.date_trunc(named, sa.cast(column, sa.TIMESTAMP())), sa.Date())
        truncated: Element = day
    elif getattr(column.type, "timezone", False):
        truncated = sa.func.date_trunc(named, column, sa.literal_column("'UTC'"))
    else:
        truncated = sa.func.date_trunc(named, column)
    return sa.type_coerce(ByDialect(truncated, sa.func.dataflow_trunc(named, column)), column.type)


def total(table: sa.Table, measure: Measure) -> Element:
    """Return what is computed of a group."""
    function, given, kind = measure.function, measure.expression, measure.kind
    if given is None:
        return sa.type_coerce(sa.func.count(), plain_type(int))
    operand = expression(table, given)
    if function in ("count", "count_distinct"):
        counted = sa.func.count(_comparable(operand, given.kind).distinct() if function != "count" else operand)
        return sa.type_coerce(counted, plain_type(int))
    if function in ("min", "max"):
        found = getattr(sa.func, function)
        of_sqlite = found(_comparable(operand, kind))
        return sa.type_coerce(_comparable(ByDialect(found(operand), of_sqlite), kind), operand.type)
    return sa.type_coerce(_comparable(_TOTALS[function, kind](operand), kind), plain_type(kind))


def expression(table: sa.Table, given: Expression) -> Element:
    """Return *given* over the columns of *table*; constants are bound as ``_c0``, ``_c1``, ..."""
    match given:
        case Column():
            return readable(table.c[given.field], "calculated with")
        case Constant():
            type_ = table.c[given.field].type if given.field else plain_type(given.kind)
            return sa.bindparam(f"{CONSTANT}{given.place}", type_=type_)
        case Call():
            return _call(table, given)
        case _:
            assert_never(given)


def _call(table: sa.Table, given: Call) -> Element:
    parts = [expression(table, part) for part in given.parts]
    if given.operator in _COMPARISONS:
        return _compared(given, parts)
    if given.operator == "case":
        pairs = list(zip(parts[:-1:2], parts[1:-1:2], strict=True))
        return sa.type_coerce(sa.case(*pairs, else_=parts[-1]), plain_type(given.kind))
    if given.operator == "decimal":
        made = ByDialect(sa.cast(parts[0], sa.Numeric()), sa.cast(parts[0], sa.Text()))
        return sa.type_coerce(made, plain_type(Decimal))
    if given.kind is bool:
        return _LOGIC[given.operator](*parts)
    return sa.type_coerce(_CALCULATIONS[given.operator](given.kind, *parts), plain_type(given.kind))


def _comparable(operand: Element, kind: Any) -> Element:
    """SQLite has Decimals as texts, which it must be told to compare by value."""
    if kind is not Decimal:
        return operand
    return ByDialect(operand, sa.collate(sa.type_coerce(operand, sa.Text()), DECIMAL_COLLATION))


def _compared(given: Call, parts: list[Element]) -> Element:
    compare = _COMPARISONS[given.operator]
    plain = compare(*parts)
    if given.parts[0].kind is Decimal:
        plain = ByDialect(plain, compare(sa.func.dataflow_compare(*parts), _ZERO))
    certain: Element = sa.func.coalesce(plain, sa.true() if given.operator == "ne" else sa.false())
    if given.operator == "ne":  # both null: not unequal
        certain = sa.and_(certain, sa.not_(sa.and_(parts[0].is_(None), parts[1].is_(None))))
    return sa.sql.elements.Grouping(certain)


def _calculated(operator: Callable[[Any, Any], Any], name: str) -> Callable[[Any, Element, Element], Element]:
    def build(kind: Any, one: Element, other: Element) -> Element:
        function = getattr(sa.func, f"dataflow_{'decimal_' if kind is Decimal else ''}{name}")
        return ByDialect(sa.sql.elements.Grouping(operator(one, other)), function(one, other))

    return build


def _divided(kind: Any, one: Element, other: Element) -> Element:
    divisor = sa.func.nullif(other, sa.literal_column("0"))
    if kind is Decimal:
        exact = sa.func.round(sa.sql.elements.Grouping(one + _MORE).op("/")(divisor), PLACES)
        return ByDialect(exact, sa.func.dataflow_decimal_divide(one, other))
    return ByDialect(
        sa.sql.elements.Grouping(sa.cast(one, sa.Double()).op("/")(divisor)), sa.func.dataflow_divide(one, other)
    )


def _average_of_decimals(operand: Element) -> Element:
    count = sa.func.nullif(sa.func.count(operand), sa.literal_column("0"))
    exact = sa.func.round(sa.sql.elements.Grouping(sa.func.sum(operand) + _MORE).op("/")(count), PLACES)
    return ByDialect(exact, sa.func.dataflow_avg(operand))


_ZERO: Final[Element] = sa.literal_column("0")
_TOTALS: Final[Mapping[tuple[str, Any], Callable[[Element], Element]]] = {
    ("sum", int): lambda of: ByDialect(
        sa.cast(sa.func.coalesce(sa.func.sum(of), _ZERO), sa.BigInteger()), sa.func.coalesce(sa.func.sum(of), _ZERO)
    ),
    ("sum", float): lambda of: sa.func.coalesce(sa.func.sum(of), _ZERO),
    ("sum", Decimal): lambda of: ByDialect(
        sa.func.coalesce(sa.func.sum(of), _ZERO), sa.func.coalesce(sa.func.dataflow_sum(of), sa.literal_column("'0'"))
    ),
    ("avg", float): lambda of: ByDialect(sa.func.avg(sa.cast(of, sa.Double())), sa.func.avg(of)),
    ("avg", Decimal): _average_of_decimals,
}
_CALCULATIONS: Final[Mapping[str, Callable[[Any, Element, Element], Element]]] = {
    "add": _calculated(add, "add"),
    "subtract": _calculated(sub, "subtract"),
    "multiply": _calculated(mul, "multiply"),
    "divide": _divided,
}
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
}
_LOGIC: Final[Mapping[str, Callable[..., Element]]] = {
    "and": lambda *parts: sa.and_(sa.true(), *parts),
    "or": lambda *parts: sa.or_(sa.false(), *parts),
    "not": lambda part: sa.not_(sa.sql.elements.Grouping(part)),
}
