"""The operations, as values. Making one costs a fraction of a microsecond and touches nothing.

Values are checked before they are here (`dataflow.operations.spellings`): field names exist and values have
their declared Python types. A rewrite (`dataflow.rewrites`) may still narrow ``where`` and add values; it
keeps the kind of the operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from dataflow.operations.expressions import Expression
from dataflow.query.assign import Assignment
from dataflow.query.ordering import Order, Page
from kailash.conditions import EVERYTHING, Where

Values: TypeAlias = Mapping[str, Any]  # {field: value as declared}
Changes: TypeAlias = Mapping[str, Assignment]  # {field: what becomes of it}
Deleted: TypeAlias = Literal["hidden", "shown", "only"]  # what becomes of records that are marked as deleted


class Include(msgspec.Struct, frozen=True):
    """A relation whose records come along: its name, which of their fields (empty: all), and what comes with them."""

    relation: str
    fields: tuple[str, ...] = ()
    include: tuple[Include, ...] = ()


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
    include: tuple[Include, ...] = ()
    deleted: Deleted = "hidden"
    as_of: datetime | int | None = None  # as it was at that time, or in that version; None: as it is


class Update(msgspec.Struct, frozen=True):
    """Change records; the outcome is the changed records.

    With *id* at most one changes. With *where* alone, all that it finds. version: the one that the caller knows; a
    record of another is a conflict. revert: the version whose values it gets again, besides the *changes*.
    """

    model: str
    changes: Changes
    id: Any = None
    where: Where = EVERYTHING
    deleted: Deleted = "hidden"
    version: int | None = None
    revert: int | None = None


class Delete(msgspec.Struct, frozen=True):
    """Remove records, by id or *where*; the outcome is the ids that were removed.

    marks: what is changed in a record that stays, marked as deleted; empty where it is really removed. version: as
    in `Update`.
    """

    model: str
    id: Any = None
    where: Where = EVERYTHING
    deleted: Deleted = "hidden"
    version: int | None = None
    marks: Changes = {}


class List(msgspec.Struct, frozen=True):
    """Fetch a page of records; the outcome is a `Listing`."""

    model: str
    where: Where = EVERYTHING
    order: tuple[Order, ...] = ()
    page: Page = Page()
    fields: tuple[str, ...] = ()
    count: bool = False
    include: tuple[Include, ...] = ()
    deleted: Deleted = "hidden"
    as_of: datetime | None = None


class Count(msgspec.Struct, frozen=True):
    """Count records; the outcome is an int."""

    model: str
    where: Where = EVERYTHING
    deleted: Deleted = "hidden"
    as_of: datetime | None = None


class History(msgspec.Struct, frozen=True):
    """Fetch the versions of one record, the latest first; the outcome is a list of `Version`.

    before: only versions before that number. deleted: whether those of a record that is marked as deleted are shown.
    """

    model: str
    id: Any
    where: Where = EVERYTHING
    limit: int = 100
    before: int | None = None
    deleted: Deleted = "hidden"


class Upsert(msgspec.Struct, frozen=True):
    """Store a record, or change the one that has the same values of *match*; the outcome is `Upserted`."""

    model: str
    match: tuple[str, ...]
    create: Values
    update: Changes
    where: Where = EVERYTHING  # an existing record outside it is a conflict, and stays as it is


class Failure(msgspec.Struct, frozen=True):
    """One row of a bulk that was refused: its position, the code and the sentence of its error."""

    index: int
    code: str
    message: str


class Batch(msgspec.Struct, frozen=True):
    """Rows that give the same fields.

    fields: the columns of *rows*, in order. given: those that the caller gave; the others are defaults.
    positions: where each row stood in what the caller sent, from 0; empty where that is its index here.
    """

    fields: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    given: tuple[str, ...] = ()
    positions: Sequence[int] = ()


class BulkCreate(msgspec.Struct, frozen=True):
    """Store many records; the outcome is `Bulk`."""

    model: str
    batches: tuple[Batch, ...]
    on_conflict: Literal["error", "skip"] = "error"
    atomic: bool = True  # all or nothing; else what can be stored is, and the outcome lists the rest
    returning: bool = False
    refused: tuple[Failure, ...] = ()  # rows that were no records, where *atomic* is false


class BulkUpdate(msgspec.Struct, frozen=True):
    """Change many records: all that *where* finds by *changes*, or those that *batches* names, by their key."""

    model: str
    where: Where = EVERYTHING
    changes: Changes = {}
    batches: tuple[Batch, ...] = ()  # the key is the first of the fields
    constants: Changes = {}  # what *batches* changes beside the given fields: {"updated_at": ...}


class BulkDelete(msgspec.Struct, frozen=True):
    """Remove many records: all that *where* finds. marks: as in `Delete`."""

    model: str
    where: Where = EVERYTHING
    marks: Changes = {}


class BulkUpsert(msgspec.Struct, frozen=True):
    """Store many records; what has the same values of *match* is changed, left alone, or refused."""

    model: str
    batches: tuple[Batch, ...]  # no two rows have the same values of *match*
    match: tuple[str, ...] = ("id",)
    resolution: Literal["update", "skip", "error"] = "update"
    where: Where = EVERYTHING  # an existing record outside it is a conflict, and stays as it is
    repeated: int = 0  # rows that a later row of the same *match* was merged into
    constants: Changes = {}  # what changes in an existing record beside the given fields: {"version": ...}


class Group(msgspec.Struct, frozen=True):
    """What records are grouped by: a field, or the *unit* ("day") that a date of it is in."""

    name: str
    field: str
    unit: str = ""


class Measure(msgspec.Struct, frozen=True):
    """What is computed of a group, and its Python type; no expression: of the records themselves (count)."""

    name: str
    function: str  # "sum", "avg", "min", "max", "count", "count_distinct"
    expression: Expression | None
    kind: Any


class Aggregate(msgspec.Struct, frozen=True):
    """Compute *measures* of each group of records; the outcome is a row for each group, {name: value}."""

    model: str
    where: Where = EVERYTHING
    groups: tuple[Group, ...] = ()
    measures: tuple[Measure, ...] = ()
    constants: tuple[Any, ...] = ()  # of the expressions, by their places
    having: Where = EVERYTHING  # over the names of groups and measures
    order: tuple[Order, ...] = ()
    limit: int | None = None
    deleted: Deleted = "hidden"


Operation: TypeAlias = (
    Create
    | Read
    | Update
    | Delete
    | List
    | Count
    | History
    | Aggregate
    | Upsert
    | BulkCreate
    | BulkUpdate
    | BulkDelete
    | BulkUpsert
)
READS = (Read, List, Count, Aggregate)
ASKING = (*READS, History)  # what changes nothing; the answers to `READS` can be kept


class Listing(msgspec.Struct, frozen=True):
    """A page: its records, the cursor of the next one, and the count of all where it was asked for."""

    records: list[dict[str, Any]]
    next: str | None = None
    total: int | None = None


class Version(msgspec.Struct, frozen=True):
    """One version of a record: its number, when it was made, how and by whom, and the record as it was then.

    record: None where the record was removed for good. It has no value of a field that came later.
    """

    version: int
    event: str  # "create", "update", "delete": what happened to the record
    at: datetime
    actor: str | None
    channel: str | None  # "rest", "cli", "mcp", "ws", "python"; "sql": it did not come through dataflow
    request_id: str | None
    operation: str | None  # "bulk_update": what was asked for; "history": it was there before its history
    record: dict[str, Any] | None


class Upserted(msgspec.Struct, frozen=True):
    """The stored record, and whether it is a new one."""

    record: dict[str, Any]
    created: bool


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
