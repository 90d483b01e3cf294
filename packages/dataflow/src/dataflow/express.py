"""The direct faces: an operation as one method call, without a workflow.

`Express` awaits, `ExpressSync` blocks; both read the same arguments, run the same plans and give the same
values: ``create``, ``update`` and ``upsert`` the stored record, ``read`` and ``find_one`` the record or None,
``list`` and ``bulk_create`` records, ``bulk_update``, ``bulk_delete`` and ``bulk_upsert`` the counts of
docs/reference/operations.md.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict, Unpack

from dataflow.model.spec import ModelSpec
from dataflow.operations import including, parameters, spellings, versions
from dataflow.operations import values as ops
from dataflow.operations.results import absent, result
from dataflow.query import ordering
from kailash._lazy import Late
from kailash.conditions import EVERYTHING, Where, parse

if TYPE_CHECKING:
    from dataflow.operations import files
else:  # for who imports one
    files = Late("dataflow.operations.files")

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = list[Record]
Values: TypeAlias = Mapping[str, Any]
Moment: TypeAlias = datetime | str | None  # a time, also as ISO 8601 has it
Include: TypeAlias = str | Sequence[str] | None  # relations that come along: "customer,lines.product"


class Seen(TypedDict, total=False):
    """Which records a list finds besides those that are there now."""

    include_deleted: bool
    as_of: Moment


class Database(Protocol):
    """What the faces stand on: a `dataflow.DataFlow`."""

    def spec(self, model: str) -> ModelSpec:
        """Return the spec of that model."""

    def run(self, operation: ops.Operation) -> Any:
        """Run *operation*, blocking; return its outcome."""

    async def arun(self, operation: ops.Operation) -> Any:
        """Run *operation* under asyncio; return its outcome."""


class _Questions:
    """The arguments of either face -> what is asked."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def _where(self, spec: ModelSpec, filter: Values | None) -> Where:
        return parse(filter, spec.record) if filter else EVERYTHING

    def _create(self, model: str, values: Values) -> ops.Create:
        return ops.Create(model, spellings.stored(self._db.spec(model), values))

    def _read(self, model: str, id: Any, include: Include, *, shown: bool, as_of: Moment | int = None) -> ops.Read:
        spec = self._db.spec(model)
        wanted = including.read(spec, None, include)[1] if include else ()
        id = spec.record.check_value("id", id)
        then = None if as_of is None else parameters.point(spec, as_of, include=wanted)
        return ops.Read(model, id, include=wanted, deleted=spellings.deleted(spec, shown=shown), as_of=then)

    def _find(self, model: str, filter: Values, include: Include) -> ops.Read:
        spec = self._db.spec(model)
        wanted = including.read(spec, None, include)[1] if include else ()
        return ops.Read(model, None, self._where(spec, filter), include=wanted)

    def _list(
        self, model: str, filter: Values | None, page: ordering.Page, order_by: Any, include: Include,
        *, include_deleted: bool = False, as_of: Moment = None,
    ) -> ops.List:  # fmt: skip
        spec = self._db.spec(model)
        order = ordering.parse_order(order_by or (), spec.record)
        wanted = including.read(spec, None, include)[1] if include else ()
        deleted = spellings.deleted(spec, shown=include_deleted)
        then = None if as_of is None else parameters.moment(spec, as_of, include=wanted)
        return ops.List(model, self._where(spec, filter), order, page, include=wanted, deleted=deleted, as_of=then)

    def _count(self, model: str, filter: Values | None, *, shown: bool, as_of: Moment = None) -> ops.Count:
        spec = self._db.spec(model)
        then = None if as_of is None else parameters.moment(spec, as_of)
        return ops.Count(model, self._where(spec, filter), spellings.deleted(spec, shown=shown), then)

    def _history(self, model: str, id: Any, limit: int, before: int | None, *, shown: bool) -> spellings.Asked:
        spec = self._db.spec(model)
        deleted = {"include_deleted": True} if shown else {}
        return versions.history(spec, {"id": id, "limit": limit, "before": before, **deleted})

    def _revert(self, model: str, id: Any, version: int, expected: int | None) -> ops.Operation:
        given = {"id": id, "version": version, "expected_version": expected}
        return versions.revert(self._db.spec(model), given).operation

    def _aggregate(self, model: str, asked: Values) -> ops.Operation:
        return spellings.aggregate(self._db.spec(model), asked).operation

    def _update(self, model: str, id: Any, fields: Values, version: int | None) -> ops.Operation:
        given = {"id": id, "fields": fields} if version is None else _versioned(id, version, fields=fields)
        return spellings.update(self._db.spec(model), given).operation

    def _delete(self, model: str, id: Any, version: int | None) -> ops.Operation:
        spec = self._db.spec(model)
        if version is None:
            return ops.Delete(model, spec.record.check_value("id", id))
        return spellings.delete(spec, _versioned(id, version)).operation

    def _restore(self, model: str, id: Any) -> ops.Operation:
        return spellings.restore(self._db.spec(model), {"id": id}).operation

    def _purge(self, model: str, id: Any) -> ops.Operation:
        return spellings.purge(self._db.spec(model), {"id": id}).operation

    def _upsert(self, model: str, values: Values, conflict_on: Sequence[str] | None) -> ops.Operation:
        return spellings.upsert(self._db.spec(model), {**values, "conflict_on": conflict_on}).operation

    def _upsert_advanced(
        self, model: str, where: Values, create: Values, update: Values | None, conflict_on: Sequence[str] | None
    ) -> ops.Operation:
        given = {"where": where, "create": create, "update": update or {}, "conflict_on": conflict_on}
        return spellings.upsert(self._db.spec(model), given).operation

    def _bulk_create(self, model: str, records: Iterable[Values]) -> ops.Operation:
        return spellings.bulk_create(self._db.spec(model), {"data": [*records], "returning": True}).operation

    def _bulk_update(self, model: str, records: Iterable[Values], key_field: str) -> spellings.Asked:
        return spellings.bulk_update(self._db.spec(model), {"data": [*records], "key_field": key_field})

    def _bulk_delete(self, model: str, ids: Iterable[Any]) -> spellings.Asked:
        return spellings.bulk_delete(self._db.spec(model), {"ids": [*ids]})

    def _bulk_upsert(self, model: str, records: Iterable[Values], conflict_on: Sequence[str] | None) -> spellings.Asked:
        return spellings.bulk_upsert(self._db.spec(model), {"data": [*records], "conflict_on": conflict_on})

    def _import(self, model: str, path: str | PathLike[str]) -> spellings.Asked:
        spec = self._db.spec(model)
        return spellings.bulk_create(spec, {"data": files.records(path, spec.settable)})


def _versioned(id: Any, version: int, **more: Any) -> dict[str, Any]:
    return {"id": id, "expected_version": version, **more}


def _only(operation: Any, records: Records) -> Record:
    if not records:
        raise absent(operation)
    return records[0]


class Express(_Questions):
    """The asyncio face: ``db.express``."""

    async def create(self, model: str, values: Values) -> Record:
        """Store one record; return it as stored, id and defaults included."""
        record: Record = await self._db.arun(self._create(model, values))
        return record

    async def read(
        self,
        model: str,
        id: Any,
        *,
        include: Include = None,
        include_deleted: bool = False,
        as_of: Moment | int = None,
    ) -> Record | None:
        """Return the record of that id, with those that it belongs to and has, or None.

        as_of: as it was at that time, or in that version. Raises: InvalidInputError where no versions are kept.
        """
        record: Record | None = await self._db.arun(self._read(model, id, include, shown=include_deleted, as_of=as_of))
        return record

    async def find_one(self, model: str, filter: Values, *, include: Include = None) -> Record | None:
        """Return the first record, in order of id, that *filter* finds, or None."""
        record: Record | None = await self._db.arun(self._find(model, filter, include))
        return record

    async def list(
        self,
        model: str,
        filter: Values | None = None,
        *,
        limit: int | None = spellings.LIST_LIMIT,
        offset: int = 0,
        order_by: Any = None,
        include: Include = None,
        **seen: Unpack[Seen],
    ) -> builtins.list[Record]:
        """Return at most *limit* records (None: all) that *filter* finds, in the order asked for and then by id.

        include_deleted: those that are marked as deleted too. as_of: as they were at that time.
        """
        page = ordering.page(limit, offset, None)
        operation = self._list(model, filter, page, order_by, include, **seen)
        listing: ops.Listing = await self._db.arun(operation)
        return listing.records

    async def count(
        self, model: str, filter: Values | None = None, *, include_deleted: bool = False, as_of: Moment = None
    ) -> int:
        """Return how many records *filter* finds. as_of: found at that time."""
        number: int = await self._db.arun(self._count(model, filter, shown=include_deleted, as_of=as_of))
        return number

    async def aggregate(self, model: str, **asked: Any) -> builtins.list[Record]:
        """Return a row for each group: ``group_by=["category"], aggregate={"stock": {"$sum": "stock"}}``.

        Also ``filter having sort limit``; docs/reference/operations.md has all of it.
        """
        rows: builtins.list[Record] = await self._db.arun(self._aggregate(model, asked))
        return rows

    async def update(self, model: str, id: Any, fields: Values, *, expected_version: int | None = None) -> Record:
        """Change fields of one record; return it as it is then.

        Raises: RecordNotFoundError; VersionConflictError where it is not of the *expected_version*.
        """
        operation = self._update(model, id, fields, expected_version)
        return _only(operation, await self._db.arun(operation))

    async def delete(self, model: str, id: Any, *, expected_version: int | None = None) -> bool:
        """Delete one record; return whether there was one. Raises: VersionConflictError, as `update`."""
        return bool(await self._db.arun(self._delete(model, id, expected_version)))

    async def restore(self, model: str, id: Any) -> Record:
        """Undo the deletion of one record; return it. Raises: RecordNotFoundError where none is marked as deleted."""
        operation = self._restore(model, id)
        return _only(operation, await self._db.arun(operation))

    async def purge(self, model: str, id: Any) -> bool:
        """Remove one record for good that is marked as deleted; return whether there was one."""
        return bool(await self._db.arun(self._purge(model, id)))

    async def history(
        self, model: str, id: Any, *, limit: int = 100, before: int | None = None, include_deleted: bool = False
    ) -> builtins.list[Record]:
        """Return the versions of one record, the latest first: ``version event at actor channel operation record``.

        before: only those before that number. Raises: InvalidInputError where no versions are kept.
        """
        asked = self._history(model, id, limit, before, shown=include_deleted)
        return versions.shown(await self._db.arun(asked.operation))

    async def revert(self, model: str, id: Any, version: int, *, expected_version: int | None = None) -> Record:
        """Give one record the values of an earlier version again, as another change of it; return it as it is then.

        Raises: RecordNotFoundError for no such version; VersionConflictError, as `update`.
        """
        operation = self._revert(model, id, version, expected_version)
        return _only(operation, await self._db.arun(operation))

    async def upsert(self, model: str, values: Values, conflict_on: Sequence[str] | None = None) -> Record:
        """Store a record, or change the one with the same *conflict_on*; return it as it is then."""
        upserted: ops.Upserted = await self._db.arun(self._upsert(model, values, conflict_on))
        return upserted.record

    async def upsert_advanced(
        self,
        model: str,
        where: Values,
        create: Values,
        update: Values | None = None,
        *,
        conflict_on: Sequence[str] | None = None,
    ) -> Record:
        """Store *where* and *create*, or change the record that *where* finds by *update*; return it as it is then."""
        operation = self._upsert_advanced(model, where, create, update, conflict_on)
        upserted: ops.Upserted = await self._db.arun(operation)
        return upserted.record

    async def bulk_create(self, model: str, records: Iterable[Values]) -> builtins.list[Record]:
        """Store many records, all or none; return them as stored, in order."""
        bulk: ops.Bulk = await self._db.arun(self._bulk_create(model, records))
        return bulk.records or []

    async def bulk_update(self, model: str, records: Iterable[Values], *, key_field: str = "id") -> Record:
        """Change many records, each named by its *key_field*; return the counts."""
        return await self._asked(self._bulk_update(model, records, key_field))

    async def bulk_delete(self, model: str, ids: Iterable[Any]) -> Record:
        """Delete many records; return the counts."""
        return await self._asked(self._bulk_delete(model, ids))

    async def bulk_upsert(
        self, model: str, records: Iterable[Values], *, conflict_on: Sequence[str] | None = None
    ) -> Record:
        """Store many records, or change those with the same *conflict_on*; return the counts."""
        return await self._asked(self._bulk_upsert(model, records, conflict_on))

    async def import_file(self, model: str, path: str | PathLike[str]) -> Record:
        """Store the records of a .csv, .json or .ndjson file, all or none; return the counts."""
        return await self._asked(self._import(model, path))

    async def _asked(self, asked: spellings.Asked) -> Record:
        return result(asked, await self._db.arun(asked.operation))


class ExpressSync(_Questions):
    """The blocking face: ``db.express_sync``."""

    def create(self, model: str, values: Values) -> Record:
        """Store one record; return it as stored, id and defaults included."""
        record: Record = self._db.run(self._create(model, values))
        return record

    def read(
        self,
        model: str,
        id: Any,
        *,
        include: Include = None,
        include_deleted: bool = False,
        as_of: Moment | int = None,
    ) -> Record | None:
        """Return the record of that id, with those that it belongs to and has, or None.

        as_of: as it was at that time, or in that version. Raises: InvalidInputError where no versions are kept.
        """
        record: Record | None = self._db.run(self._read(model, id, include, shown=include_deleted, as_of=as_of))
        return record

    def find_one(self, model: str, filter: Values, *, include: Include = None) -> Record | None:
        """Return the first record, in order of id, that *filter* finds, or None."""
        record: Record | None = self._db.run(self._find(model, filter, include))
        return record

    def list(
        self,
        model: str,
        filter: Values | None = None,
        *,
        limit: int | None = spellings.LIST_LIMIT,
        offset: int = 0,
        order_by: Any = None,
        include: Include = None,
        **seen: Unpack[Seen],
    ) -> builtins.list[Record]:
        """Return at most *limit* records (None: all) that *filter* finds, in the order asked for and then by id.

        include_deleted: those that are marked as deleted too. as_of: as they were at that time.
        """
        page = ordering.page(limit, offset, None)
        operation = self._list(model, filter, page, order_by, include, **seen)
        listing: ops.Listing = self._db.run(operation)
        return listing.records

    def count(
        self, model: str, filter: Values | None = None, *, include_deleted: bool = False, as_of: Moment = None
    ) -> int:
        """Return how many records *filter* finds. as_of: found at that time."""
        number: int = self._db.run(self._count(model, filter, shown=include_deleted, as_of=as_of))
        return number

    def aggregate(self, model: str, **asked: Any) -> builtins.list[Record]:
        """Return a row for each group: ``group_by=["category"], aggregate={"stock": {"$sum": "stock"}}``.

        Also ``filter having sort limit``; docs/reference/operations.md has all of it.
        """
        rows: builtins.list[Record] = self._db.run(self._aggregate(model, asked))
        return rows

    def update(self, model: str, id: Any, fields: Values, *, expected_version: int | None = None) -> Record:
        """Change fields of one record; return it as it is then.

        Raises: RecordNotFoundError; VersionConflictError where it is not of the *expected_version*.
        """
        operation = self._update(model, id, fields, expected_version)
        return _only(operation, self._db.run(operation))

    def delete(self, model: str, id: Any, *, expected_version: int | None = None) -> bool:
        """Delete one record; return whether there was one. Raises: VersionConflictError, as `update`."""
        return bool(self._db.run(self._delete(model, id, expected_version)))

    def restore(self, model: str, id: Any) -> Record:
        """Undo the deletion of one record; return it. Raises: RecordNotFoundError where none is marked as deleted."""
        operation = self._restore(model, id)
        return _only(operation, self._db.run(operation))

    def purge(self, model: str, id: Any) -> bool:
        """Remove one record for good that is marked as deleted; return whether there was one."""
        return bool(self._db.run(self._purge(model, id)))

    def history(
        self, model: str, id: Any, *, limit: int = 100, before: int | None = None, include_deleted: bool = False
    ) -> builtins.list[Record]:
        """Return the versions of one record, the latest first: ``version event at actor channel operation record``.

        before: only those before that number. Raises: InvalidInputError where no versions are kept.
        """
        asked = self._history(model, id, limit, before, shown=include_deleted)
        return versions.shown(self._db.run(asked.operation))

    def revert(self, model: str, id: Any, version: int, *, expected_version: int | None = None) -> Record:
        """Give one record the values of an earlier version again, as another change of it; return it as it is then.

        Raises: RecordNotFoundError for no such version; VersionConflictError, as `update`.
        """
        operation = self._revert(model, id, version, expected_version)
        return _only(operation, self._db.run(operation))

    def upsert(self, model: str, values: Values, conflict_on: Sequence[str] | None = None) -> Record:
        """Store a record, or change the one with the same *conflict_on*; return it as it is then."""
        upserted: ops.Upserted = self._db.run(self._upsert(model, values, conflict_on))
        return upserted.record

    def upsert_advanced(
        self,
        model: str,
        where: Values,
        create: Values,
        update: Values | None = None,
        *,
        conflict_on: Sequence[str] | None = None,
    ) -> Record:
        """Store *where* and *create*, or change the record that *where* finds by *update*; return it as it is then."""
        upserted: ops.Upserted = self._db.run(self._upsert_advanced(model, where, create, update, conflict_on))
        return upserted.record

    def bulk_create(self, model: str, records: Iterable[Values]) -> builtins.list[Record]:
        """Store many records, all or none; return them as stored, in order."""
        bulk: ops.Bulk = self._db.run(self._bulk_create(model, records))
        return bulk.records or []

    def bulk_update(self, model: str, records: Iterable[Values], *, key_field: str = "id") -> Record:
        """Change many records, each named by its *key_field*; return the counts."""
        return self._asked(self._bulk_update(model, records, key_field))

    def bulk_delete(self, model: str, ids: Iterable[Any]) -> Record:
        """Delete many records; return the counts."""
        return self._asked(self._bulk_delete(model, ids))

    def bulk_upsert(self, model: str, records: Iterable[Values], *, conflict_on: Sequence[str] | None = None) -> Record:
        """Store many records, or change those with the same *conflict_on*; return the counts."""
        return self._asked(self._bulk_upsert(model, records, conflict_on))

    def import_file(self, model: str, path: str | PathLike[str]) -> Record:
        """Store the records of a .csv, .json or .ndjson file, all or none; return the counts."""
        return self._asked(self._import(model, path))

    def _asked(self, asked: spellings.Asked) -> Record:
        return result(asked, self._db.run(asked.operation))
