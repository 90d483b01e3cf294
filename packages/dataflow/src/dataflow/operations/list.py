"""The plan of list: one SELECT of a page, and a second for the count of all where it is asked for."""

from __future__ import annotations

from typing import Any, Final

from dataflow.effects import DataPlan, Row, query
from dataflow.model.registry import Model
from dataflow.operations import late
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen, counted
from dataflow.query import ordering

# Limits that are part of the text of a statement: PostgreSQL keeps no plan where it has to guess the limit, and plans
# each time, which is a fourth of a list of 20. Arbitrary: what pages are made of.
USUAL: Final = frozenset({None, 1, 5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 200, 250, 500, 1000})


def plan(operation: ops.List, model: Model) -> DataPlan[ops.Listing]:
    """Return one page, in the order asked for and then by id."""
    order = ordering.total(operation.order)
    records = yield from _page(operation, order, model)
    page = operation.page
    following = None
    if page.limit is not None and len(records) > page.limit:
        del records[page.limit :]
        following = ordering.encode_cursor(order, records[-1]) if records else None
    if operation.fields:
        records = [{name: record[name] for name in operation.fields} for record in records]
    total = (yield from counted(operation.where, model)) if operation.count else None
    return ops.Listing(records, following, total)


def _page(operation: ops.List, order: tuple[ordering.Order, ...], model: Model) -> DataPlan[list[Row]]:
    """One record more than the page holds, to know whether another page follows."""
    page = operation.page
    shape, values = chosen(None, operation.where)
    after = _after(operation, order, model, values)
    size = page.limit + 1 if page.limit is not None else None
    if page.limit not in USUAL:
        values["_limit"], size = size, 0
    if page.offset:
        values["_offset"] = page.offset
    names = _selected(operation.fields, order)
    limits = (size, page.offset > 0)
    rows = yield from query(
        (model, "list", names, order, after, limits, shape),
        late.statement("page", model, names, order, after, limits, operation.where),
        values,
    )
    return rows.items


def _after(
    operation: ops.List, order: tuple[ordering.Order, ...], model: Model, values: dict[str, Any]
) -> tuple[bool, ...] | None:
    """Bind the cursor's values; return for each key whether it stands at a null, or None without a cursor."""
    if operation.page.cursor is None:
        return None
    keys = ordering.decode_cursor(operation.page.cursor, order, model.spec.record)
    values.update({f"_after{position}": key for position, key in enumerate(keys)})
    return tuple([key is None for key in keys])


def _selected(fields: tuple[str, ...], order: tuple[ordering.Order, ...]) -> tuple[str, ...]:
    """The fields asked for and those that the next cursor needs; empty for all."""
    if not fields:
        return ()
    return (*fields, *[key.field for key in order if key.field not in fields])
