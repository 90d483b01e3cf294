"""Durable runs: which runs are written down, under which id, and what is needed to go on with one.

Rule 1: only `kailash`'s `RunStore` is spoken to. What a record says of a run is the name under which the workflow is
registered, and the request as it came: a workflow that a function builds is built again from it.
Rule 2: the same idempotency key of the same caller is the same run: done, it is answered from its journal; failed,
it goes on where it failed; under way, it is refused.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import msgspec

from kailash.context import Context
from kailash.errors import RunInProgressError
from kailash.runtime.base import new_run_id
from kailash.runtime.record import RunRecord, RunStore, Status
from kailash.workflow.packing import pack, unpack
from nexus.errors import KeyReusedError


@runtime_checkable
class Recoverable(Protocol):
    """A store that can say what was cut off."""

    def take_over(self, names: Collection[str]) -> Sequence[RunRecord]:
        """Return the runs of workflows of these names that were cut off; no other process goes on with them."""

    def recent(self, most: int = 100) -> Sequence[RunRecord]:
        """Return the runs that began last, the latest first."""

    def close(self) -> None:
        """Give back what is held. Idempotent."""


@runtime_checkable
class StoreOffer(Protocol):
    """A provider whose database keeps the journals of runs."""

    def run_store(self) -> RunStore:
        """Return the store."""


class Request(msgspec.Struct, frozen=True):
    """The request of a run: what it was given, and who asked."""

    name: str
    given: Mapping[str, Any]
    principal: str | None = None
    tenant: str | None = None
    roles: tuple[str, ...] = ()

    def packed(self) -> bytes:
        """Return it as JSON. Raises: InvalidInputError."""
        return msgspec.json.encode(pack([dict(self.given), self.principal, self.tenant, sorted(self.roles)]))

    def context(self) -> Context:
        """Return the context in which its run goes on."""
        return Context(principal=self.principal, tenant=self.tenant, roles=frozenset(self.roles), channel="resumed")


def request_of(record: RunRecord) -> Request:
    """Return the request that *record* tells of."""
    given, principal, tenant, roles = unpack(msgspec.json.decode(record.given))
    return Request(record.name, given, principal, tenant, tuple(roles))


def of_endpoint(name: str, workflow: Any, context: Context) -> Request:
    """Return the request of a workflow that an endpoint built: what it holds stands for what was given.

    Raises: InvalidInputError when that cannot be written down.
    """
    steps = pack([[step.id, dict(step.config)] for step in workflow.spec.steps])
    digest = hashlib.sha256(msgspec.json.encode(steps)).hexdigest()
    return Request(name, {"digest": digest}, context.principal, context.tenant, tuple(context.roles))


def run_id_of(request: Request, key: str) -> str:
    """Return the id of the run that *request* means: by its idempotency *key*, or a new one."""
    if not key:
        return new_run_id()
    whole = msgspec.json.encode([request.principal, request.tenant, request.name, key])
    return hashlib.sha256(whole).hexdigest()[:32]


class Journals:
    """A `RunStore` for the runtimes, which puts requests into the records that they make.

    open_store: gives the store when the first run needs it.
    """

    def __init__(self, open_store: Callable[[], RunStore]) -> None:
        self._open = open_store
        self._store: RunStore | None = None
        self._under_way: dict[str, Request] = {}
        self._lock = threading.Lock()
        self.leaving = False  # the process ends: what fails now was cut off, and is gone on with later

    @property
    def store(self) -> RunStore:
        """The store itself."""
        with self._lock:
            if self._store is None:
                self._store = self._open()
            return self._store

    def recoverable(self) -> Recoverable | None:
        """Return the store if it can say what was cut off."""
        store = self.store
        return store if isinstance(store, Recoverable) else None

    def close(self) -> None:
        """Give back what the store holds; it is opened anew when it is needed."""
        with self._lock:
            store: object = self._store
            self._store = None
        if isinstance(store, Recoverable):
            store.close()

    @contextmanager
    def entered(self, run_id: str, request: Request) -> Iterator[None]:
        """Note that a run is under way, until the block ends. Raises: RunInProgressError."""
        with self._lock:
            if run_id in self._under_way:
                raise RunInProgressError("a run with this idempotency key is under way", hint="ask again when it ended")
            self._under_way[run_id] = request
        try:
            yield
        finally:
            with self._lock:
                self._under_way.pop(run_id, None)

    def begin(self, record: RunRecord) -> RunRecord:
        asked = self._asked(record)
        return _checked(self.store.begin(asked), asked, record)

    async def abegin(self, record: RunRecord) -> RunRecord:
        asked = self._asked(record)
        return _checked(await self.store.abegin(asked), asked, record)

    def keep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        self.store.keep(run_id, steps)

    async def akeep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        await self.store.akeep(run_id, steps)

    def finish(self, run_id: str, status: Status) -> None:
        if not (self.leaving and status == "failed"):
            self.store.finish(run_id, status)

    async def afinish(self, run_id: str, status: Status) -> None:
        if not (self.leaving and status == "failed"):
            await self.store.afinish(run_id, status)

    def _asked(self, record: RunRecord) -> RunRecord:
        request = self._under_way[record.run_id]
        return msgspec.structs.replace(record, name=request.name, given=request.packed())


def _checked(stored: RunRecord, asked: RunRecord, record: RunRecord) -> RunRecord:
    """Return *stored* as the runtime knows it. Raises: KeyReusedError."""
    if (stored.given, stored.name, stored.workflow) != (asked.given, asked.name, asked.workflow):
        raise KeyReusedError("this idempotency key came with another request before", hint="use a new key")
    return msgspec.structs.replace(stored, name=record.name, given=record.given)
