"""The spelling of an aggregate -> its value, checked.

group_by   "category", ["category", {"$date_trunc": ["day", "created_at"]}], or "created_at:day"
aggregate  {"revenue": {"$sum": "total"}, "orders": {"$count": "*"}}
sum, avg, min, max, count_distinct   fields, for results that are named ``sum_price``; count=True for ``count``
filter, having, sort, limit          which records; which groups; their order; how many of them
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Optional

from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from dataflow.operations.expressions import NUMBERS, Expression, Reader
from dataflow.query import ordering
from kailash.conditions import EVERYTHING, Where, parse
from kailash.errors import did_you_mean
from kailash.shapes import Field, Shape

FUNCTIONS: Final = ("sum", "avg", "min", "max", "count", "count_distinct")
SHORT: Final = ("sum", "avg", "min", "max", "count_distinct")  # that are inputs by themselves
UNITS: Final = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")  # a week begins on Monday
DAYS: Final = UNITS[:5]
ORDERED: Final = (*NUMBERS, str, dt.datetime, dt.date, dt.time)
MAX_GROUPS: Final = 16  # fields of group_by; as of sort keys
MAX_MEASURES: Final = 100  # arbitrary


def aggregate(spec: ModelSpec, given: Mapping[str, Any]) -> ops.Aggregate:
    """Return the operation that *given* asks for; without anything to compute, the number of records.

    Raises: InvalidInputError, InvalidFilterError, InvalidSortError, InvalidPageError.
    """
    reader = Reader(spec)
    groups = tuple([_group(reader, spec, each) for each in _listed(reader, given.get("group_by"), "group_by")])
    measures = _measures(reader, given)
    names = [*[each.name for each in groups], *[each.name for each in measures]]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise reader.refusal(name, "repeated", f"two results are named {name!r}")
    if len(groups) > MAX_GROUPS or len(measures) > MAX_MEASURES:
        raise reader.refusal("aggregate", "out_of_range", "there are too many groups or results")
    shape = outcome(spec, groups, measures)
    return ops.Aggregate(
        model=spec.name,
        where=_where(given.get("filter"), spec.record),
        groups=groups,
        measures=measures,
        constants=tuple(reader.constants),
        having=_where(given.get("having"), shape),
        order=ordering.parse_order(given.get("sort") or given.get("order_by"), shape),
        limit=ordering.page(given.get("limit"), None, None).limit,
    )


def outcome(spec: ModelSpec, groups: Sequence[ops.Group], measures: Sequence[ops.Measure]) -> Shape:
    """Return the shape of one row of the outcome: the groups, then what was computed."""
    fields = [Field(each.name, spec.by_name[each.field].annotation, None) for each in groups]
    for each in measures:
        plain = each.expression is not None and each.function in ("min", "max") and hasattr(each.expression, "field")
        annotation = spec.by_name[each.expression.field].annotation if plain else each.kind  # type: ignore[union-attr]
        fields.append(Field(each.name, annotation, None))
    return Shape(spec.name, [Field(field.name, Optional[field.annotation], None) for field in fields])  # noqa: UP045 - computed


def _where(raw: Any, shape: Shape) -> Where:
    if raw is None or raw == {}:
        return EVERYTHING
    return raw if isinstance(raw, Where) else parse(raw, shape)


def _listed(reader: Reader, raw: Any, what: str) -> Sequence[Any]:
    if raw is None:
        return ()
    if isinstance(raw, str):
        return [word.strip() for word in raw.split(",") if word.strip()]
    if isinstance(raw, Mapping):
        return [raw]
    if not isinstance(raw, Sequence) or isinstance(raw, bytes):
        raise reader.refusal(what, "wrong_type", f"{what} takes names")
    return raw


def _group(reader: Reader, spec: ModelSpec, raw: Any) -> ops.Group:
    unit, field = "", raw
    if isinstance(raw, str):
        field, _, unit = raw.partition(":")
    elif isinstance(raw, Mapping) and [*raw] == ["$date_trunc"]:
        parts = raw["$date_trunc"]
        if not isinstance(parts, Sequence) or len(parts) != 2 or not all(isinstance(each, str) for each in parts):
            raise reader.refusal("group_by", "wrong_type", 'write {"$date_trunc": ["day", "created_at"]}')
        unit, field = parts
    else:
        raise reader.refusal("group_by", "wrong_type", 'a group is a field or {"$date_trunc": ["day", "created_at"]}')
    column = reader.read(field, "group_by")
    if not unit:
        if column.kind in (list, dict):
            raise reader.refusal("group_by", "wrong_type", f"{field!r} cannot be grouped by")
        return ops.Group(field, field)
    units = {dt.datetime: UNITS, dt.date: DAYS}.get(column.kind, ())
    if not units:
        raise reader.refusal("group_by", "wrong_type", f"{field!r} is no date")
    if unit not in units:
        raise reader.refusal("group_by", "unknown_unit", f"there is no unit {unit!r} ({did_you_mean(unit, units)})")
    return ops.Group(f"{field}_{unit}", field, unit)


def _measures(reader: Reader, given: Mapping[str, Any]) -> tuple[ops.Measure, ...]:
    asked = given.get("aggregate") or {}
    if not isinstance(asked, Mapping):
        raise reader.refusal("aggregate", "wrong_type", 'write {"revenue": {"$sum": "total"}}')
    measures = [_measure(reader, str(name), raw) for name, raw in asked.items()]
    for function in SHORT:
        fields = _listed(reader, given.get(function), function)
        measures.extend([_computed(reader, f"{function}_{field}", function, field) for field in fields])
    if given.get("count") or not measures:
        measures.append(ops.Measure("count", "count", None, int))
    return tuple(measures)


def _measure(reader: Reader, name: str, raw: Any) -> ops.Measure:
    where = f"aggregate.{name}"
    if not name.isidentifier() or name.startswith("_") or len(name) > 63:
        raise reader.refusal(where, "wrong_type", "a result is named like a field: letters, digits and underscores")
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise reader.refusal(where, "wrong_type", 'a result is computed by one function, like {"$sum": "total"}')
    function, operand = next(iter(raw.items()))
    known = [f"${each}" for each in FUNCTIONS]
    if function not in known:
        raise reader.refusal(
            where, "unknown_operator", f"no function is {function!r} ({did_you_mean(function, known)})"
        )
    return _computed(reader, name, function[1:], operand)


def _computed(reader: Reader, name: str, function: str, operand: Any) -> ops.Measure:
    where = f"aggregate.{name}.${function}"
    if function == "count" and operand in ("*", 1, {}, True):
        return ops.Measure(name, function, None, int)
    if function in ("sum", "avg"):
        expression = reader.number(operand, where)
        kind = Decimal if expression.kind is Decimal else expression.kind if function == "sum" else float
        return ops.Measure(name, function, expression, kind)
    expression = reader.read(operand, where)
    _refuse_unordered(reader, function, expression, where)
    return ops.Measure(name, function, expression, int if function.startswith("count") else expression.kind)


def _refuse_unordered(reader: Reader, function: str, expression: Expression, where: str) -> None:
    kind: Any = expression.kind
    if function in ("min", "max") and kind not in ORDERED:
        raise reader.refusal(where, "wrong_type", f"{kind.__name__} has no {function}")
    if function == "count_distinct" and kind in (list, dict):
        raise reader.refusal(where, "wrong_type", f"a {kind.__name__} is not compared")
