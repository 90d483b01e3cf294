"""The SQL statements of the plans, as SQLAlchemy Core builds them: once for each shape.

A bind value of a column that is inserted has the column's name; every other has a name that begins with an
underscore (`dataflow.query.binding`), as no field does. This module is imported on the first use of a shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dataflow.effects import WHOLE
from dataflow.model import past
from dataflow.model.registry import Model
from dataflow.model.spec import DELETED, TENANT
from dataflow.operations import totals
from dataflow.operations import values as ops
from dataflow.query import binding, render
from dataflow.query.assign import Assignment
from dataflow.query.ordering import Order
from kailash._lazy import Late
from kailash.conditions import Where

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite
else:  # 0.7 MB that a program on PostgreSQL need not hold
    sqlite = Late("sqlalchemy.dialects.sqlite")

# -- one record ----------------------------------------------------------------------------------------------


def insert(model: Model, names: tuple[str, ...]) -> sa.Executable:
    """INSERT one record of these columns; it comes back whole."""
    return sa.insert(model.table).values(_blank(names)).returning(*model.table.c)


def read(model: Model, fields: tuple[str, ...], where: Where, *, by_id: bool) -> sa.Executable:
    """SELECT at most one record."""
    statement = _select(model, fields, where).where(*_chosen(model, where, by_id=by_id))
    return statement if by_id else statement.order_by(model.table.c.id).limit(_literal(1))


def update(model: Model, changes: Mapping[str, Assignment], where: Where, *, by_id: bool) -> sa.Executable:
    """UPDATE what is chosen; it comes back whole."""
    return _update(model, changes).where(*_chosen(model, where, by_id=by_id)).returning(*model.table.c)


def delete(model: Model, marks: Mapping[str, Assignment], where: Where, *, by_id: bool) -> sa.Executable:
    """DELETE what is chosen, or mark it; the ids come back."""
    if marks:
        return _update(model, marks).where(*_chosen(model, where, by_id=by_id)).returning(model.table.c.id)
    return sa.delete(model.table).where(*_chosen(model, where, by_id=by_id)).returning(model.table.c.id)


def upsert(
    model: Model, names: tuple[str, ...], match: tuple[str, ...], changes: Mapping[str, Assignment], where: Where
) -> sa.Executable:
    """INSERT ... ON CONFLICT DO UPDATE (PostgreSQL); the record comes back, with ``_created``.

    xmax is 0 in a row version that no transaction has locked or replaced: a new one.
    """
    table = model.table
    return (
        postgresql.insert(table)
        .values(_blank(names))
        .on_conflict_do_update(
            index_elements=_columns(model, match),
            index_where=_live(model, match),
            set_=_assigned(model, changes) or {"id": table.c.id},
            where=render.condition(table, where) if where.shape != render.NOTHING_ASKED else None,
        )
        .returning(*table.c, sa.literal_column("(xmax = 0)", sa.Boolean()).label("_created"))
    )


def update_or_read(model: Model, changes: Mapping[str, Assignment], where: Where) -> sa.Executable:
    """UPDATE what is found; it comes back whole, even where nothing is to change."""
    statement = _update(model, changes) if changes else sa.update(model.table).values(id=model.table.c.id)
    return statement.where(render.condition(model.table, where)).returning(*model.table.c)


# -- many records --------------------------------------------------------------------------------------------


def page(
    model: Model,
    fields: tuple[str, ...],
    order: tuple[Order, ...],
    after: tuple[bool, ...] | None,
    limits: tuple[int | None, bool],
    where: Where,
) -> sa.Executable:
    """SELECT a page; *after* tells which of the cursor's keys are null.

    limits: at most so many, None for all, 0 for as many as are bound; whether there is an offset.
    """
    table = model.table
    statement = _select(model, fields, where).where(render.condition(table, where))
    if after is not None:
        statement = statement.where(render.keyset(table, order, after))
    statement = statement.order_by(*render.order_by(table, order))
    limit, skipping = limits
    if limit is not None:
        statement = statement.limit(_literal(limit) if limit else sa.bindparam("_limit", type_=sa.Integer()))
    return statement.offset(sa.bindparam("_offset", type_=sa.Integer())) if skipping else statement


def count(model: Model, where: Where) -> sa.Executable:
    """Count all that is found."""
    return (
        sa.select(sa.func.count().label("count")).select_from(model.table).where(render.condition(model.table, where))
    )


def bulk_update(model: Model, changes: Mapping[str, Assignment], where: Where) -> sa.Executable:
    """UPDATE all that is found."""
    return _update(model, changes).where(render.condition(model.table, where))


def bulk_delete(model: Model, marks: Mapping[str, Assignment], where: Where) -> sa.Executable:
    """DELETE all that is found, or mark it."""
    if marks:
        return bulk_update(model, marks, where)
    return sa.delete(model.table).where(render.condition(model.table, where))


def counting() -> sa.Executable:
    """Whether SQLite has its table of the last ids that were given out."""
    master = sa.table("sqlite_master", sa.column("name"))
    named = master.c.name == sa.literal("sqlite_sequence")
    return sa.select(sa.func.count().label("count")).select_from(master).where(named)


def reserve_ids(model: Model, dialect: str, *, counting: bool) -> sa.Executable:
    """Ids that nobody else gets: ``_count`` of the sequence, or the last one given out (SQLite, under its lock)."""
    if dialect == "postgresql":
        sequence = _sequence(model)
        numbers = sa.func.generate_series(1, sa.bindparam("_count", type_=sa.Integer())).table_valued("n")
        return sa.select(sa.func.nextval(sequence).label("id")).select_from(numbers)
    highest = sa.select(sa.func.max(model.table.c.id)).scalar_subquery()
    if not counting:
        return sa.select(sa.func.coalesce(highest, 0).label("id"))
    given = sa.table("sqlite_sequence", sa.column("seq"), sa.column("name"))
    last = sa.select(given.c.seq).where(given.c.name == sa.literal(model.table.name)).scalar_subquery()
    return sa.select(sa.func.max(sa.func.coalesce(last, 0), sa.func.coalesce(highest, 0)).label("id"))


def advance_ids(model: Model) -> sa.Executable:
    """Move the sequence of the ids to ``_id``, if it is not there yet (PostgreSQL)."""
    sequence, given = _sequence(model), sa.bindparam(binding.ID, type_=sa.BigInteger())
    last = sa.func.coalesce(sa.func.pg_sequence_last_value(sa.cast(sequence, postgresql.REGCLASS)), 0)
    return sa.select(sa.func.setval(sequence, given).label("id")).where(given > last)


def _sequence(model: Model) -> sa.Function[str]:
    """The name of the sequence of the ids; pg_get_serial_sequence reads a quoted identifier."""
    table = model.table.name.replace('"', '""')
    return sa.func.pg_get_serial_sequence(sa.literal(f'"{table}"'), sa.literal(model.table.c.id.name))


# -- PostgreSQL: from a temporary table ----------------------------------------------------------------------


def insert_from(model: Model, fields: tuple[str, ...], incoming: str) -> sa.Executable:
    """INSERT what arrived."""
    return _insert_from(model, fields, incoming)


def insert_new_from(
    model: Model, fields: tuple[str, ...], match: tuple[str, ...], incoming: str, *, returning: bool
) -> sa.Executable:
    """INSERT what arrived and meets no conflict."""
    statement = _insert_from(model, fields, incoming).on_conflict_do_nothing(
        index_elements=_columns(model, match) if match else None, index_where=_live(model, match)
    )
    return statement.returning(*model.table.c) if returning else statement


def update_from(
    model: Model, fields: tuple[str, ...], constants: Mapping[str, Assignment], incoming: str, where: Where
) -> sa.Executable:
    """UPDATE by what arrived; the first of *fields* is the key."""
    table, source = model.table, _incoming(model, fields, incoming)
    key, *given = fields
    values = {name: source.c[name] for name in given}
    return (
        sa.update(table)
        .values({**values, **_assigned(model, constants)})
        .where(table.c[key] == source.c[key], render.condition(table, where))
    )


def merge_from(
    model: Model,
    fields: tuple[str, ...],
    changes: tuple[tuple[str, ...], Mapping[str, Assignment]],
    match: tuple[str, ...],
    incoming: str,
    where: Where,
) -> sa.Executable:
    """INSERT or UPDATE by what arrived; one row comes back: ``stored`` and, of these, ``new``.

    changes: the fields that an existing record takes from what arrived, and what changes in it besides.
    """
    table = model.table
    statement = _insert_from(model, fields, incoming)
    stored = (
        statement.on_conflict_do_update(
            index_elements=_columns(model, match),
            index_where=_live(model, match),
            set_=_taken(model, statement.excluded, *changes),
            where=render.condition(table, where) if where.shape != render.NOTHING_ASKED else None,
        )
        .returning(sa.literal_column("(xmax = 0)", sa.Boolean()).label("new"))
        .cte("stored")
    )
    new = sa.func.count().filter(stored.c.new)
    return sa.select(new.label("new"), sa.func.count().label("stored")).select_from(stored)


def _insert_from(model: Model, fields: tuple[str, ...], incoming: str) -> postgresql.Insert:
    source = _incoming(model, fields, incoming)
    ordered = sa.select(*[source.c[name] for name in fields]).order_by(source.c.ordinal_)
    return postgresql.insert(model.table).from_select(list(fields), ordered)


def _incoming(model: Model, fields: tuple[str, ...], name: str) -> sa.TableClause:
    columns = [sa.column(field, model.table.c[field].type) for field in fields]
    return sa.table(name, *columns, sa.column("ordinal_", sa.Integer()))


# -- SQLite: one statement, repeated -------------------------------------------------------------------------


def insert_new(model: Model, fields: tuple[str, ...], match: tuple[str, ...]) -> sa.Executable:
    """INSERT a record, unless it meets a conflict."""
    return (
        sqlite.insert(model.table)
        .values(_blank(fields))
        .on_conflict_do_nothing(
            index_elements=_target(model, match) if match else None, index_where=_live(model, match)
        )
    )


def insert_new_one(model: Model, fields: tuple[str, ...], match: tuple[str, ...]) -> sa.Executable:
    """INSERT a record, unless it meets a conflict; it comes back whole."""
    statement = sqlite.insert(model.table).values(_blank(fields))
    statement = statement.on_conflict_do_nothing(
        index_elements=_target(model, match) if match else None, index_where=_live(model, match)
    )
    return statement.returning(*model.table.c)


def update_each(
    model: Model, fields: tuple[str, ...], constants: Mapping[str, Assignment], where: Where
) -> sa.Executable:
    """UPDATE the record of one key; the first of *fields* is the key."""
    table = model.table
    key, *given = fields
    wanted = sa.bindparam(binding.KEY, type_=table.c[key].type)
    return (
        sa.update(table)
        .values({**_bound(model, given), **_assigned(model, constants)})
        .where(table.c[key] == wanted, render.condition(table, where))
    )


def merge_each(
    model: Model,
    fields: tuple[str, ...],
    changes: tuple[tuple[str, ...], Mapping[str, Assignment]],
    match: tuple[str, ...],
    where: Where,
) -> sa.Executable:
    """INSERT a record, or change the one with the same *match*. changes: as in `merge_from`."""
    statement = sqlite.insert(model.table).values(_blank(fields))
    return statement.on_conflict_do_update(
        index_elements=_target(model, match),
        index_where=_live(model, match),
        set_=_taken(model, statement.excluded, *changes),
        where=render.condition(model.table, where) if where.shape != render.NOTHING_ASKED else None,
    )


def existing(model: Model, match: tuple[str, ...], where: Where) -> sa.Executable:
    """Count the records found whose *match* is among the keys ``_key0``, ``_key1``, ...: lists, side by side."""
    table = model.table
    counted = sa.select(sa.func.count().label("count")).select_from(table)
    return counted.where(render.among(table, match), render.condition(table, where))


# -- the wall between tenants (PostgreSQL) ----------------------------------------------------------------------


def wall(setting: str, every: str) -> sa.Executable:
    """Say for whom the transaction acts: for ``_tenant``, or for all where ``_every`` is "on"."""
    return sa.select(_said(setting, "_tenant"), _said(every, "_every"))


def _said(setting: str, bind: str) -> sa.ColumnElement[str]:
    value = sa.bindparam(bind, type_=sa.Text())
    return sa.func.set_config(sa.literal(setting), value, sa.true(), type_=sa.Text()).label(bind)


# -- versions of records -------------------------------------------------------------------------------------


def then(model: Model, *, by_version: bool) -> sa.Subquery:
    """The records of *model* as they were at the time, or in the version, ``_as_of``: in the place of its table."""
    kept = _past(model)
    later = kept.alias("later_")
    at = "version" if by_version else past.AT
    wanted = sa.bindparam("_as_of", type_=kept.c[at].type)

    def included(row: Any) -> sa.ColumnElement[bool]:
        condition: sa.ColumnElement[bool] = row.c[at] == wanted if by_version else row.c[at] <= wanted
        return condition

    newer = sa.exists().where(later.c.id == kept.c.id, later.c[past.NUMBER] > kept.c[past.NUMBER], included(later))
    columns = [kept.c[field.name] for field in model.spec.fields]
    return sa.select(*columns).where(included(kept), kept.c[past.EVENT] != "delete", ~newer).subquery(model.spec.table)


def versions(model: Model, where: Where, *, live: bool, before: bool) -> sa.Executable:
    """SELECT versions of the record ``_id``, the latest first. live: of one alone that is not marked as deleted."""
    kept = _past(model)
    same = sa.bindparam(binding.ID, type_=kept.c.id.type)
    statement = sa.select(*kept.c).where(kept.c.id == same, render.condition(kept, where))
    if live:
        found = sa.exists().where(model.table.c.id == same, model.table.c[DELETED].is_(None))
        statement = statement.where(found)
    if before:
        statement = statement.where(kept.c.version < sa.bindparam("_before", type_=kept.c.version.type))
    limit = sa.bindparam("_limit", type_=sa.Integer())
    return statement.order_by(kept.c[past.NUMBER].desc()).limit(limit)


def _past(model: Model) -> sa.Table:
    assert model.past is not None
    return model.past.table


# -- parts ---------------------------------------------------------------------------------------------------


def _blank(names: Iterable[str]) -> dict[str, Any]:
    """Columns without values: each becomes a bind parameter of the column's name and type."""
    return dict.fromkeys(names)


def _target(model: Model, match: tuple[str, ...]) -> list[sa.Column[Any]]:
    """What SQLite takes for a target: no index that holds its row number, which an id may be; an id is unique alone."""
    return [model.table.c.id] if {*match} == {TENANT, "id"} else _columns(model, match)


def _columns(model: Model, fields: tuple[str, ...]) -> list[sa.Column[Any]]:
    return [model.table.c[name] for name in fields] if fields else list(model.table.c)


def _select(model: Model, fields: tuple[str, ...], where: Where) -> sa.Select[Any]:
    """SELECT these fields, but for what *where* says of all that it finds: the tenant, and no mark of deletion."""
    columns = _columns(model, fields)
    known = binding.known(where)
    fetched = [column for column in columns if column.key not in known]
    if not fetched or len(fetched) == len(columns):
        return sa.select(*columns)
    return sa.select(*fetched).execution_options(**{WHOLE: {column.key: known.get(column.key) for column in columns}})


def _literal(number: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(number), sa.Integer())


def _chosen(model: Model, where: Where, *, by_id: bool) -> list[sa.ColumnElement[bool]]:
    condition = [render.condition(model.table, where, by_id=by_id)] if where.shape != render.NOTHING_ASKED else []
    if not by_id:
        return condition
    return [model.table.c.id == sa.bindparam(binding.ID, type_=model.table.c.id.type), *condition]


def _update(model: Model, changes: Mapping[str, Assignment]) -> sa.Update:
    return sa.update(model.table).values(_assigned(model, changes))


def _assigned(model: Model, changes: Mapping[str, Assignment]) -> dict[str, Any]:
    columns = model.table.c
    return {name: render.assignment(columns[name], change, binding.SET + name) for name, change in changes.items()}


def _taken(model: Model, excluded: Any, names: tuple[str, ...], constants: Mapping[str, Assignment]) -> dict[str, Any]:
    """What changes in the record that is there already; where nothing does, a change that is none."""
    if not names:
        return {"id": model.table.c.id}
    return {**{name: excluded[name] for name in names}, **_assigned(model, constants)}


def _live(model: Model, match: tuple[str, ...]) -> sa.ColumnElement[bool] | None:
    """What tells the database which of its indexes keeps the records of one *match* apart."""
    live = any(index.unique and index.live and set(index.fields) == set(match) for index in model.spec.indexes)
    return model.table.c[DELETED].is_(None) if live else None


def _bound(model: Model, names: Iterable[str]) -> dict[str, Any]:
    return {name: sa.bindparam(binding.SET + name, type_=model.table.c[name].type) for name in names}


# -- groups --------------------------------------------------------------------------------------------------


def aggregate(model: Model, operation: ops.Aggregate) -> sa.Executable:
    """SELECT what is computed of each group of the records, and then of the groups those that are wanted."""
    table = model.table
    groups = [(each.name, totals.group(table, each.field, each.unit)) for each in operation.groups]
    measures = [(each.name, totals.total(table, each)) for each in operation.measures]
    computed = sa.select(*[element.label(name) for name, element in (*groups, *measures)]).select_from(table)
    if operation.where.shape != render.NOTHING_ASKED:
        computed = computed.where(render.condition(table, operation.where))
    computed = computed.group_by(*[element for _, element in groups])
    rows = sa.Table("_groups", sa.MetaData(), *[sa.Column(name, each.type) for name, each in (*groups, *measures)])
    statement = sa.select(*rows.c).add_cte(computed.cte("_groups"))
    if operation.having.shape != render.NOTHING_ASKED:
        statement = statement.where(render.condition(rows, operation.having, binding.HAVING))
    sorted_by = {key.field for key in operation.order}
    rest = [Order(name) for name, _ in groups if name not in sorted_by]
    statement = statement.order_by(*render.order_by(rows, (*operation.order, *rest)))
    return statement if operation.limit is None else statement.limit(sa.bindparam("_limit", type_=sa.Integer()))
