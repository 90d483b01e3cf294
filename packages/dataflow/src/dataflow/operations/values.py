"""The operations, as values. Making one costs a fraction of a microsecond and touches nothing.

Values are checked before they are here (`dataflow.operations.spellings`): field names exist and values have
their declared Python types. A rewrite (`dataflow.rewrites`) may still narrow ``where`` and add values; it
keeps the kind of the operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from dataflow.query.assign import Assignment
from dataflow.query.ordering import Order, Page
from kailash.conditions import EVERYTHING, Where

Values: TypeAlias = Mapping[str, Any]  # {field: value as declared}
Changes: TypeAlias = Mapping[str, Assignment]  # {field: what becomes of it}


class Create(msgspec.Struct, frozen=True):
    """Store one record; the outcome is the stored record."""

    model: str
    values: Values


class Read(msgspec.Struct, frozen=True):
    """Fetch one record, by its id or the first that *where* finds; the outcome is a record or None."""

    model: str
    id: Any = None
    where: Where = EVERYTHING
    fields: tuple[str, ...] = ()  # empty: all


class Update(msgspec.Struct, frozen=True):
    """Change records; the outcome is the changed records.

    With *id* at most one changes. With *where* alone, all that it finds.
    """

    model: str
    changes: Changes
    id: Any = None
    where: Where = EVERYTHING


class Delete(msgspec.Struct, frozen=True):
    """Remove records, by id or *where*; the outcome is the ids that were removed."""

    model: str
    id: Any = None
    where: Where = EVERYTHING


class List(msgspec.Struct, frozen=True):
    """Fetch a page of records; the outcome is a `Listing`."""

    model: str
    where: Where = EVERYTHING
    order: tuple[Order, ...] = ()
    page: Page = Page()
    fields: tuple[str, ...] = ()
    count: bool = False


class Count(msgspec.Struct, frozen=True):
    """Count records; the outcome is an int."""

    model: str
    where: Where = EVERYTHING


class Upsert(msgspec.Struct, frozen=True):
    """Store a record, or change the one that has the same values of *match*; the outcome is `Upserted`."""

    model: str
    match: tuple[str, ...]
    create: Values
    update: Changes
    where: Where = EVERYTHING  # an existing record outside it is a conflict, and stays as it is


class BulkCreate(msgspec.Struct, frozen=True):
    """Store many records; the outcome is `Bulk`."""

    model: str
    rows: Sequence[Values]
    on_conflict: Literal["error", "skip"] = "error"
    atomic: bool = True
    returning: bool = False


class BulkUpdate(msgspec.Struct, frozen=True):
    """Change many records: all that *where* finds by *changes*, or each of *rows* by its id."""

    model: str
    where: Where = EVERYTHING
    changes: Changes = {}
    rows: Sequence[Values] = ()
    key: str = "id"


class BulkDelete(msgspec.Struct, frozen=True):
    """Remove many records: all that *where* finds."""

    model: str
    where: Where = EVERYTHING


class BulkUpsert(msgspec.Struct, frozen=True):
    """Store many records; what has the same values of *match* is changed, left alone, or refused."""

    model: str
    rows: Sequence[Values]
    match: tuple[str, ...] = ("id",)
    resolution: Literal["update", "skip", "error"] = "update"
    where: Where = EVERYTHING


Operation: TypeAlias = (
    Create | Read | Update | Delete | List | Count | Upsert | BulkCreate | BulkUpdate | BulkDelete | BulkUpsert
)
READS = (Read, List, Count)


class Listing(msgspec.Struct, frozen=True):
    """A page: its records, the cursor of the next one, and the count of all where it was asked for."""

    records: list[dict[str, Any]]
    next: str | None = None
    total: int | None = None


class Upserted(msgspec.Struct, frozen=True):
    """The stored record, and whether it is a new one."""

    record: dict[str, Any]
    created: bool


class Failure(msgspec.Struct, frozen=True):
    """One row of a bulk that was refused: its position, the code and the sentence of its error."""

    index: int
    code: str
    message: str


class Bulk(msgspec.Struct, frozen=True):
    """What came of a bulk operation, in rows."""

    processed: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    failures: tuple[Failure, ...] = ()
    ids: list[Any] | None = None
    records: list[dict[str, Any]] | None = None
