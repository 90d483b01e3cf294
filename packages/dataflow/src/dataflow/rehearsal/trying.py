"""The suite of a model: each of its eleven operations once, on a copy, and everything undone after it.

Rule 1: it goes through the doors that programs use, so that every policy of the model has its say; the records of a
        multi-tenant model are those of a tenant that has some.
Rule 2: what was there before is read and written as well, since that is what a migration may have spoiled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar

import msgspec

from dataflow.database import DataFlow
from dataflow.model.spec import TENANT, ModelSpec
from dataflow.rehearsal.records import Record, Records, UnmadeError
from dataflow.schema.rules import identifier
from kailash.errors import KailashError

T = TypeVar("T")
READ: Final = 100  # records of each model that are read
NOBODY: Final = "rehearsal"  # the tenant of a model without records


class Tried(msgspec.Struct, frozen=True):
    """One operation: how long it took, and what went wrong."""

    operation: str
    seconds: float
    error: str = ""


class Used(msgspec.Struct, frozen=True):
    """How a model fared on the copy."""

    model: str
    read: int  # records that were there
    operations: tuple[Tried, ...] = ()
    untried: str = ""  # why what creates a record was not tried
    tenant: str = ""  # whose records these were

    @property
    def error(self) -> str:
        """What went wrong, of all operations."""
        return "; ".join([f"{each.operation}: {each.error}" for each in self.operations if each.error])


def tried(copy: DataFlow) -> Iterator[Used]:
    """Yield how each model of *copy* fares."""
    records = Records(copy)
    for model in copy.models:
        tenant = _tenant(copy, model.spec)
        acting: AbstractContextManager[Any] = copy.tenant(tenant) if tenant else nullcontext()
        with acting, copy.transaction_sync() as block:
            used = _Suite(copy, model.spec, records).run(tenant)
            block.rollback()
        yield used


def _tenant(copy: DataFlow, spec: ModelSpec) -> str:
    """Return the tenant to act for, empty where the model has none."""
    if not spec.options.multi_tenant:
        return ""
    column = identifier(spec.by_name[TENANT].stored_as)
    with copy.connection() as connection:
        found = connection.ask(f"SELECT {column} FROM {identifier(spec.table)} LIMIT 1")
    return str(found[0][0]) if found else NOBODY


class _Suite:
    """The operations on one model, in an order that needs nothing but what came before."""

    def __init__(self, copy: DataFlow, spec: ModelSpec, records: Records) -> None:
        self._copy, self._spec, self._name = copy, spec, spec.name
        self._express = copy.express_sync
        self._records = records
        self._done: list[Tried] = []

    def run(self, tenant: str) -> Used:
        """Try all of them."""
        there: list[Record] = self._try("list", lambda: self._express.list(self._name, limit=READ)) or []
        self._try("count", lambda: self._express.count(self._name))
        for record in there[:1]:  # what a migration has brought along is written as it is
            self._on(record)
        untried = self._new()
        return Used(self._name, len(there), tuple(self._done), untried, tenant)

    def _on(self, record: Record) -> None:
        self._try("read", lambda: self._found(record["id"]))
        self._try("update", lambda: self._express.update(self._name, record["id"], self._given(record)))

    def _new(self) -> str:
        """Create, change and delete records of its own; return why not, where none can be made."""
        try:
            first, *more = [self._records.make(self._name) for _ in range(3)]
        except UnmadeError as error:
            return str(error)
        created = self._try("create", lambda: self._express.create(self._name, first))
        made: list[Record] = self._try("bulk_create", lambda: self._express.bulk_create(self._name, more)) or []
        if created is not None:
            key = self._key(created)
            self._on(created)
            self._try("upsert", lambda: self._express.upsert(self._name, self._whole(created), key))
        if made:
            key, changed = self._key(made[0]), [self._whole(each) for each in made]
            self._try("bulk_update", lambda: self._express.bulk_update(self._name, changed))
            self._try("bulk_upsert", lambda: self._express.bulk_upsert(self._name, changed, conflict_on=key))
            self._try("bulk_delete", lambda: self._express.bulk_delete(self._name, [each["id"] for each in made]))
        if created is not None:
            self._try("delete", lambda: self._express.delete(self._name, created["id"]))
        return ""

    def _try(self, operation: str, act: Callable[[], T]) -> T | None:
        """Do it in a savepoint, so that what fails spoils nothing for the next."""
        began, found, error = time.perf_counter(), None, ""
        try:
            with self._copy.transaction_sync():
                found = act()
        except KailashError as fault:
            error = str(fault)
        self._done.append(Tried(operation, round(time.perf_counter() - began, 6), error))
        return found

    def _found(self, id: Any) -> Record:
        record = self._express.read(self._name, id)
        return record if record is not None else self._express.update(self._name, id, {})  # which says so

    def _given(self, record: Record) -> Record:
        """Return of *record* what a caller may change."""
        kept = {*self._spec.managed, "id"}
        return {name: value for name, value in record.items() if name not in kept}

    def _whole(self, record: Record) -> Record:
        return {"id": record["id"], **self._given(record)}

    def _key(self, record: Record) -> list[str]:
        """Return fields by which *record* is known: those of a unique index where it has values for all of them."""
        keys = [key for key in self._spec.keys if all(record.get(name) is not None for name in key)]
        return [*keys[-1]]
