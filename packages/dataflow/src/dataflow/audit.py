"""The audit log: who wrote what to audited models, chained entry by entry. `db.audit`.

An entry is in the transaction of the write that it tells of. It is chained to the one before it when somebody reads the
log, when the database is closed, and every `SEAL` seconds while entries are written; until then its link is empty. The
chain is of SHA-256, or of HMAC-SHA-256 where there is an encryption key: then only who has it can make another.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from dataflow.effects import Row
from dataflow.feed import Feed
from dataflow.ledger import everybody, order
from dataflow.ledger.order import Verified
from dataflow.ledger.triggers import EVERYBODY
from dataflow.operations.dialect import Dialect
from dataflow.transactions.joined import Home
from kailash.errors import KailashError, did_you_mean

SEAL: Final = 5.0  # seconds between a write and the link of its entry, at most; arbitrary

log = logging.getLogger("dataflow.audit")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One audited change of one record, or one operation that was done for every tenant at once."""

    sequence: int
    at: dt.datetime
    model: str
    event: str  # "create", "update", "delete": what happened to the record; "all_tenants": it concerned all of them
    id: Any
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    tenant: str | None
    actor: str | None
    channel: str | None  # "rest", "cli", "mcp", "ws", "python"; "sql", "polling": it did not come through dataflow
    request_id: str | None
    operation: str  # "bulk_update": what was asked for
    reason: str = ""  # why it concerned all tenants


class Audit:
    """The audit log of one database."""

    def __init__(self, home: Home, feed: Feed, dialect: Dialect, keys: Sequence[bytes]) -> None:
        """Do nothing yet. keys: of the chain, the first for new entries; none for a chain that anybody can make."""
        self._home, self._feed, self._dialect, self._keys = home, feed, dialect, tuple(keys) or (b"",)
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def query(self, *, limit: int = 100, until: int = order.LAST, **filters: Any) -> list[Entry]:
        """Return at most *limit* entries before the number *until*, the latest first.

        filters: ``model id event operation actor tenant request_id channel``, and the times ``after`` and ``before``.
        """
        self._home.prepare()
        return self._entries(self._home.sync().run(self._querying(until, limit, filters)))

    async def aquery(self, *, limit: int = 100, until: int = order.LAST, **filters: Any) -> list[Entry]:
        """Like `query`."""
        await self._home.aprepare()
        return self._entries(await self._home.aio().run(self._querying(until, limit, filters)))

    def verify(self) -> Verified:
        """Chain what is not chained yet and check the whole log. Raises: AuditBrokenError."""
        self._home.prepare()
        return self._home.sync().run(order.verify(self._dialect, self._keys))

    def seal(self) -> None:
        """Chain what is not chained yet."""
        self._home.prepare()
        self._home.sync().run(order.seal(self._dialect, self._keys))

    def purge(self, before: dt.datetime) -> int:
        """Forget the entries before the first that is not older than *before*; return how many."""
        self._home.prepare()
        self._feed.remember()
        return self._home.sync().run(order.purge_entries(self._dialect, before, self._keys))

    def wake(self) -> None:
        """Something was committed: chain it soon."""
        if self._timer is None:
            with self._lock:
                if self._timer is None:
                    self._timer = threading.Timer(SEAL, self._seal_soon)
                    self._timer.daemon = True
                    self._timer.start()

    def close(self) -> None:
        """Chain what this process has written. Idempotent."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self._sealed()

    def _seal_soon(self) -> None:
        with self._lock:
            self._timer = None
        self._sealed()

    def _sealed(self) -> None:
        try:
            self._home.sync().run(order.seal(self._dialect, self._keys))
        except KailashError as fault:  # somebody else will: whoever reads the log next
            log.warning("the audit log could not be chained now (%s)", fault.code)

    def _querying(self, until: int, limit: int, filters: Mapping[str, Any]) -> Any:
        return order.latest(self._dialect, until, limit, _checked(filters))

    def _entries(self, rows: list[Row]) -> list[Entry]:
        return [self._entry(row) for row in rows]

    def _entry(self, row: Row) -> Entry:
        said = {name: row[name] for name in Entry.__struct_fields__ if name in row and name not in ("before", "after")}
        if row["event"] == EVERYBODY:
            return Entry(**said, id=None, before=None, after=None, reason=everybody.reason(row["after"]))
        event = self._feed.event(row)
        return Entry(**said, id=event.id, before=event.before, after=event.after)


def _checked(filters: Mapping[str, Any]) -> dict[str, Any]:
    known = ("model", "id", "event", "operation", "actor", "tenant", "request_id", "channel", "after", "before")
    for name in filters:
        if name not in known:
            raise TypeError(f"audit.query() has no filter {name!r}; {did_you_mean(name, known)}")
    asked = {name: value for name, value in filters.items() if value is not None}
    if "id" in asked:
        asked["record"] = str(asked.pop("id"))
    return asked
