"""The outcome of an operation -> the result that callers of capabilities and nodes see: a flat mapping.

The table of results is in docs/reference/operations.md. Absence is an error here, unless the caller said
otherwise; `dataflow.express` answers it with None.
"""

from __future__ import annotations

from typing import Any, assert_never

from dataflow.errors import RecordNotFoundError
from dataflow.operations import values as ops
from dataflow.operations import versions
from dataflow.operations.spellings import Asked

Result = dict[str, Any]


def result(asked: Asked, outcome: Any) -> Result:  # noqa: C901 - one for each operation
    """Return the result of *asked*, whose plan ended with *outcome*.

    Raises: RecordNotFoundError where a record was wanted and none was found.
    """
    operation = asked.operation
    match operation:
        case ops.Create():
            return {**outcome}
        case ops.Read():
            return _read(asked, operation, outcome)
        case ops.Update():
            return _updated(asked, operation, outcome)
        case ops.Delete():
            return _deleted(asked, operation, outcome)
        case ops.List():
            return _listed(operation, outcome)
        case ops.Count():
            return {"count": outcome}
        case ops.History():
            return _history(asked, operation, outcome)
        case ops.Aggregate():
            return {"groups": outcome, "count": len(outcome)}
        case ops.Upsert():
            action = "created" if outcome.created else "updated"
            return {"record": outcome.record, "created": outcome.created, "action": action}
        case ops.BulkCreate():
            return _bulk_created(outcome)
        case ops.BulkUpdate():
            return {"updated": outcome.updated, "processed": outcome.processed, "success": True}
        case ops.BulkDelete():
            return {"deleted": outcome.deleted, "processed": outcome.processed, "success": True}
        case ops.BulkUpsert():
            return _bulk_upserted(outcome)
        case _:
            assert_never(operation)


def absent(operation: ops.Read | ops.Update | ops.Delete | ops.History) -> RecordNotFoundError:
    """Return the error of an operation that found no record."""
    which = "for this filter" if operation.id is None else "with this id"
    return RecordNotFoundError(f"there is no {operation.model} {which}")


def _read(asked: Asked, operation: ops.Read, record: Result | None) -> Result:
    if record is not None:
        record["found"] = True
        return record
    if asked.strict:
        raise absent(operation)
    return {"id": operation.id, "found": False}


def _updated(asked: Asked, operation: ops.Update, records: list[Result]) -> Result:
    if not records:
        raise absent(operation)
    return {**records[0], "updated": True, "rows_affected": len(records)}


def _deleted(asked: Asked, operation: ops.Delete, ids: list[Any]) -> Result:
    if not ids and asked.strict:
        raise absent(operation)
    if operation.id is not None:
        return {"id": operation.id, "deleted": bool(ids)}
    return {"id": ids[0] if len(ids) == 1 else None, "deleted": bool(ids), "rows_affected": len(ids)}


def _listed(operation: ops.List, listing: ops.Listing) -> Result:
    listed = {
        "records": listing.records,
        "count": len(listing.records),
        "limit": operation.page.limit,
        "offset": operation.page.offset,
        "next_cursor": listing.next,
    }
    if listing.total is not None:
        listed["total"] = listing.total
    return listed


def _history(asked: Asked, operation: ops.History, found: list[ops.Version]) -> Result:
    if not found and asked.strict and operation.before is None:
        raise absent(operation)
    return {"versions": versions.shown(found), "count": len(found)}


def _bulk_created(bulk: ops.Bulk) -> Result:
    created: Result = {
        "inserted": bulk.inserted,
        "processed": bulk.processed,
        "skipped": bulk.skipped,
        "failed": len(bulk.failures),
        "errors": [{"index": each.index, "code": each.code, "message": each.message} for each in bulk.failures],
        "success": not bulk.failures,
    }
    if bulk.records is not None:
        created["ids"] = [record["id"] for record in bulk.records]
    return created


def _bulk_upserted(bulk: ops.Bulk) -> Result:
    return {
        "inserted": bulk.inserted,
        "updated": bulk.updated,
        "skipped": bulk.skipped,
        "upserted": bulk.inserted + bulk.updated,
        "processed": bulk.processed,
        "success": True,
    }
