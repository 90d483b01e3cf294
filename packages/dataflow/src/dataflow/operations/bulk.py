"""The plans of the four bulk operations.

PostgreSQL: rows travel by COPY, straight into the table or into a temporary one that a single statement then
joins. SQLite: one statement, repeated inside one transaction. Either way it is all or nothing, unless a
create says otherwise.
"""

from __future__ import annotations

from dataflow.effects import DataPlan, Row, atomically, load, query, repeat
from dataflow.errors import DuplicateError
from dataflow.model.registry import Model
from dataflow.model.spec import TENANT
from dataflow.operations import late, limits
from dataflow.operations import values as ops
from dataflow.operations.chosen import chosen
from dataflow.operations.dialect import Dialect
from dataflow.operations.identity import advanced, reserved
from dataflow.query import binding
from kailash.errors import KailashError, Kind

REFUSALS = (Kind.CONFLICT, Kind.INVALID)  # what one row can be refused for while the next one is fine


def create(operation: ops.BulkCreate, model: Model, dialect: Dialect) -> DataPlan[ops.Bulk]:
    """Store the rows; with *returning*, the outcome has them in the order in which they came."""
    if not operation.atomic:
        return (yield from _one_by_one(operation, model))
    yield from atomically()
    processed = inserted = 0
    records: list[Row] | None = [] if operation.returning else None
    for position, batch in enumerate(operation.batches):
        processed += len(batch.rows)
        if operation.on_conflict == "skip":
            inserted += yield from _insert_new(batch, (), model, dialect, position, records)
        else:
            inserted += yield from _insert(batch, model, dialect, position, records)
    return ops.Bulk(processed, inserted=inserted, skipped=processed - inserted, records=records)


def update(operation: ops.BulkUpdate, model: Model, dialect: Dialect) -> DataPlan[ops.Bulk]:
    """Change what the filter finds, or each row by its key; rows whose key is absent change nothing."""
    if operation.changes:
        return (yield from _update_where(operation, model))
    yield from atomically()
    processed = updated = 0
    for position, batch in enumerate(operation.batches):
        processed += len(batch.rows)
        if dialect == "postgresql":
            updated += yield from _update_from(operation, batch, model, position)
        else:
            updated += yield from _update_each(operation, batch, model)
    return ops.Bulk(processed, updated=updated)


def delete(operation: ops.BulkDelete, model: Model) -> DataPlan[ops.Bulk]:
    """Remove what the filter finds."""
    shape, values = chosen(None, operation.where)
    marks, marked = binding.changes(operation.marks) if operation.marks else ((), {})
    values.update(marked)
    build = late.statement("bulk_delete", model, operation.marks, operation.where)
    rows = yield from query((model, "bulk delete", marks, shape), build, values, writes=True)
    return ops.Bulk(rows.touched, deleted=rows.touched)


def upsert(operation: ops.BulkUpsert, model: Model, dialect: Dialect) -> DataPlan[ops.Bulk]:
    """Store the rows, or change, skip or refuse those whose match exists."""
    yield from atomically()
    processed = inserted = updated = 0
    for position, batch in enumerate(operation.batches):
        processed += len(batch.rows)
        if operation.resolution == "error":
            inserted += yield from _insert(batch, model, dialect, position, None)
        elif operation.resolution == "skip":
            inserted += yield from _insert_new(batch, operation.match, model, dialect, position, None)
        else:
            new = yield from _merge(operation, batch, model, dialect, position)
            inserted, updated = inserted + new, updated + len(batch.rows) - new
    skipped = processed - inserted - updated
    if operation.resolution == "update":
        return ops.Bulk(processed + operation.repeated, inserted=inserted, updated=updated + operation.repeated)
    return ops.Bulk(processed + operation.repeated, inserted=inserted, skipped=skipped + operation.repeated)


# -- inserting -----------------------------------------------------------------------------------------------


def _insert(
    batch: ops.Batch, model: Model, dialect: Dialect, position: int, records: list[Row] | None
) -> DataPlan[int]:
    """Insert all rows, or fail; append them to *records* where these are wanted."""
    fields, rows = batch.fields, batch.rows
    if records is not None and "id" not in fields:
        ids = yield from reserved(len(rows), model, dialect)
        fields, rows = ("id", *fields), [(id, *row) for id, row in zip(ids, rows, strict=True)]
    if model.walled:  # COPY does not go through row level security
        count = yield from _insert_from(ops.Batch(fields, rows), model, position)
    else:
        count = yield from load(lambda: model.table, fields, rows)
    if model.spec.autoincrement and "id" in batch.fields:
        yield from advanced(max([row[batch.fields.index("id")] for row in rows]), model, dialect)
    if records is not None:
        blank = dict.fromkeys(model.spec.by_name)  # in order; what no row gives is null
        records.extend([blank | dict(zip(fields, row, strict=True)) for row in rows])
    return count


def _insert_from(batch: ops.Batch, model: Model, position: int) -> DataPlan[int]:
    incoming = yield from _arrive(batch, model, position)
    build = late.statement("insert_from", model, batch.fields, incoming)
    rows = yield from query((model, "insert from", batch.fields, incoming), build, {}, writes=True)
    return rows.touched


def _insert_new(
    batch: ops.Batch,
    match: tuple[str, ...],
    model: Model,
    dialect: Dialect,
    position: int,
    records: list[Row] | None,
) -> DataPlan[int]:
    """Insert the rows that meet no conflict (on *match*, or on anything); return how many."""
    fields = batch.fields
    if records is not None or dialect == "postgresql":
        return (yield from _insert_new_returning(batch, match, model, dialect, position, records))
    build = late.statement("insert_new", model, fields, match)
    return (yield from repeat((model, "insert new", fields, match), build, fields, batch.rows))


def _insert_new_returning(
    batch: ops.Batch,
    match: tuple[str, ...],
    model: Model,
    dialect: Dialect,
    position: int,
    records: list[Row] | None,
) -> DataPlan[int]:
    fields = batch.fields
    if dialect == "sqlite":
        return (yield from _insert_new_each(batch, match, model, records))
    incoming = yield from _arrive(batch, model, position)
    shape = (model, "insert new from", fields, match, incoming, records is not None)
    build = late.statement("insert_new_from", model, fields, match, incoming, returning=records is not None)
    rows = yield from query(shape, build, {}, writes=True)
    if records is not None:
        records.extend(rows.items)
    return rows.touched


def _insert_new_each(
    batch: ops.Batch, match: tuple[str, ...], model: Model, records: list[Row] | None
) -> DataPlan[int]:
    inserted = 0
    shape = (model, "insert new one", batch.fields, match)
    build = late.statement("insert_new_one", model, batch.fields, match)
    for row in batch.rows:
        stored = yield from query(shape, build, dict(zip(batch.fields, row, strict=True)), writes=True)
        inserted += len(stored.items)
        if records is not None:
            records.extend(stored.items)
    return inserted


def _one_by_one(operation: ops.BulkCreate, model: Model) -> DataPlan[ops.Bulk]:
    """Store each row by itself; what the database refuses is listed, and stops nothing."""
    failures, records, skipped = list(operation.refused), [], 0
    for batch in operation.batches:
        shape, build = (model, "insert", batch.fields), late.statement("insert", model, batch.fields)
        for index, row in enumerate(batch.rows):
            try:
                values = dict(zip(batch.fields, row, strict=True))
                stored = yield from query(shape, build, values, writes=True, guarded=True)
            except KailashError as error:
                if error.kind not in REFUSALS:
                    raise
                if operation.on_conflict == "skip" and isinstance(error, DuplicateError):
                    skipped += 1
                    continue
                position = batch.positions[index] if batch.positions else index
                failures.append(ops.Failure(position, error.code, str(error)))
            else:
                records += stored.items
    failures.sort(key=lambda failure: failure.index)
    processed = len(records) + len(failures) + skipped
    return ops.Bulk(
        processed,
        inserted=len(records),
        skipped=skipped,
        failures=tuple(failures),
        records=records if operation.returning else None,
    )


# -- changing ------------------------------------------------------------------------------------------------


def _update_where(operation: ops.BulkUpdate, model: Model) -> DataPlan[ops.Bulk]:
    names = yield from limits.watched(model.spec, operation.changes)
    shape, values = chosen(None, operation.where)
    changes, changed = binding.changes(operation.changes)
    if names:
        build = late.statement("update", model, operation.changes, operation.where, by_id=False)
        changed_rows = yield from query((model, "update", changes, shape), build, {**values, **changed}, writes=True)
        limits.check(model.spec, names, changed_rows.items)
        return ops.Bulk(len(changed_rows.items), updated=len(changed_rows.items))
    build = late.statement("bulk_update", model, operation.changes, operation.where)
    rows = yield from query((model, "bulk update", changes, shape), build, {**values, **changed}, writes=True)
    return ops.Bulk(rows.touched, updated=rows.touched)


def _update_from(operation: ops.BulkUpdate, batch: ops.Batch, model: Model, position: int) -> DataPlan[int]:
    incoming = yield from _arrive(batch, model, position)
    constants, values = binding.changes(operation.constants)
    shape = (model, "update from", batch.fields, constants, incoming, operation.where.shape)
    build = late.statement("update_from", model, batch.fields, operation.constants, incoming, operation.where)
    values.update(binding.parameters(operation.where))
    rows = yield from query(shape, build, values, writes=True)
    return rows.touched


def _update_each(operation: ops.BulkUpdate, batch: ops.Batch, model: Model) -> DataPlan[int]:
    operands = binding.parameters(operation.where)
    changes, constants = binding.changes(operation.constants)
    names = (*[binding.KEY if at == 0 else binding.SET + name for at, name in enumerate(batch.fields)],)
    extra = (*constants.values(), *operands.values())
    rows = [row + extra for row in batch.rows] if extra else batch.rows
    shape = (model, "update each", batch.fields, changes, operation.where.shape)
    build = late.statement("update_each", model, batch.fields, operation.constants, operation.where)
    return (yield from repeat(shape, build, (*names, *constants, *operands), rows))


# -- merging -------------------------------------------------------------------------------------------------


def _merge(operation: ops.BulkUpsert, batch: ops.Batch, model: Model, dialect: Dialect, position: int) -> DataPlan[int]:
    """Insert or change every row; return how many are new."""
    if dialect == "postgresql":
        return (yield from _merge_from(operation, batch, model, position))
    return (yield from _merge_each(operation, batch, model))


def _merge_from(operation: ops.BulkUpsert, batch: ops.Batch, model: Model, position: int) -> DataPlan[int]:
    incoming = yield from _arrive(batch, model, position)
    changed = _changed(operation, batch)
    constants, values = binding.changes(operation.constants) if changed else ((), {})
    values.update(binding.parameters(operation.where))
    shape = (model, "merge from", batch.fields, changed, constants, operation.match, incoming, operation.where.shape)
    changes = (changed, operation.constants)
    build = late.statement("merge_from", model, batch.fields, changes, operation.match, incoming, operation.where)
    rows = yield from query(shape, build, values, writes=True)
    found = rows.items[0]
    if found["stored"] < len(batch.rows):
        raise _elsewhere(operation)
    return int(found["new"])


def _merge_each(operation: ops.BulkUpsert, batch: ops.Batch, model: Model) -> DataPlan[int]:
    keys = [[row[batch.fields.index(name)] for row in batch.rows] for name in operation.match]
    operands = binding.parameters(operation.where)
    values = {f"_key{at}": column for at, column in enumerate(keys)} | operands
    build = late.statement("existing", model, operation.match, operation.where)
    existing = yield from query((model, "existing", operation.match, operation.where.shape), build, values)
    changed = _changed(operation, batch)
    constants, also = binding.changes(operation.constants) if changed else ((), {})
    operands |= also
    extra = tuple(operands.values())
    rows = [row + extra for row in batch.rows] if extra else batch.rows
    changes = (changed, operation.constants)
    build = late.statement("merge_each", model, batch.fields, changes, operation.match, operation.where)
    shape = (model, "merge each", batch.fields, changed, constants, operation.match, operation.where.shape)
    stored = yield from repeat(shape, build, (*batch.fields, *operands), rows)
    if stored < len(batch.rows):
        raise _elsewhere(operation)
    return len(batch.rows) - int(existing.items[0]["count"])


def _changed(operation: ops.BulkUpsert, batch: ops.Batch) -> tuple[str, ...]:
    """What an existing row takes from the new one: what the caller gave, without what they are matched by."""
    return tuple([name for name in batch.given if name not in operation.match and name != "id"])


def _arrive(batch: ops.Batch, model: Model, position: int) -> DataPlan[str]:
    """Send the rows into a temporary table; return its name."""
    name = f"incoming_{position}"
    yield from load(lambda: model.table, batch.fields, batch.rows, temporary=name)
    return name


def _elsewhere(operation: ops.BulkUpsert) -> DuplicateError:
    fields = ", ".join([name for name in operation.match if name != TENANT])
    return DuplicateError(f"another {operation.model} has the same {fields} and may not be changed here")
