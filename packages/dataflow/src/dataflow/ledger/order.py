"""The ledger in the order of commits: numbering, reading, the chain of audited changes, retention. Plans.

PostgreSQL's own numbers are given when a row is written, and a transaction that took a number may commit long after one
that took a later number: a reader that went by them would skip rows. So committed rows are numbered by whoever reads
next, one at a time (an advisory lock). Rows of one record are numbered in the order in which they were written, since
the second writer waited for the first. SQLite has one writer at a time, and its own numbers do.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dataflow.effects import DataPlan, Row, Rows, atomically, query, repeat
from dataflow.errors import AuditBrokenError, FeedPositionError
from dataflow.operations.dialect import Dialect
from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow.ledger import statements
else:  # SQLAlchemy: 110 ms
    statements = Late("dataflow.ledger.statements")

BATCH: Final = 1_000  # rows that are chained or read in one statement; arbitrary
NUMBERED: Final = 10_000  # rows that are numbered in one: without statistics it looks at all that wait each time
READS: Final = frozenset(
    {"unnumbered", "last on postgresql", "last on sqlite", "read", "entries", "latest entries", "head"}
)
LAST: Final = 2**63 - 1


class Verified(msgspec.Struct, frozen=True):
    """A chain that holds: how many entries it has, and the link of the last, which can be kept elsewhere."""

    entries: int
    link: str


def last(dialect: Dialect) -> DataPlan[int]:
    """Return the number of the latest committed change; 0 before the first."""
    yield from numbered(dialect)
    rows = yield from _asked(f"last on {dialect}")
    return rows.items[0]["sequence"] if rows.items else 0


def read(
    dialect: Dialect, since: int, most: int, filters: Mapping[str, Any], *, audited: bool = False
) -> DataPlan[list[Row]]:
    """Return at most *most* committed changes after the number *since*, in the order of commits.

    Raises: FeedPositionError where changes after *since* are no longer kept.
    """
    yield from numbered(dialect)
    if not audited:
        head = yield from _asked("head")
        if since < (purged := head.items[0]["purged"]):
            raise FeedPositionError(
                f"changes after number {since} are no longer kept",
                hint=f"read the records anew, then go on from {purged}",
            )
    values = {"_since": since, "_most": most, **{f"_{name}": value for name, value in filters.items()}}
    rows = yield from _asked("entries" if audited else "read", *filters, **values)
    return rows.items


def latest(dialect: Dialect, until: int, most: int, filters: Mapping[str, Any]) -> DataPlan[list[Row]]:
    """Return at most *most* audited changes before the number *until*, the latest first."""
    yield from numbered(dialect)
    values = {"_until": until, "_most": most, **{f"_{name}": value for name, value in filters.items()}}
    rows = yield from _asked("latest entries", *filters, **values)
    return rows.items


def numbered(dialect: Dialect) -> DataPlan[None]:
    """Give numbers to what was committed since the last time."""
    if dialect == "sqlite":
        return
    waiting = yield from _asked("unnumbered")
    if not waiting.items[0]["n"]:
        return
    yield from atomically()
    yield from _asked("lock")
    while waiting.items[0]["n"]:
        yield from _asked("number", _most=NUMBERED)
        waiting = yield from _asked("unnumbered")


def locked() -> DataPlan[None]:
    """Be the one who numbers or looks, to the end of the transaction (PostgreSQL)."""
    yield from _asked("lock")


# -- the chain -----------------------------------------------------------------------------------------------


def seal(dialect: Dialect, keys: Sequence[bytes]) -> DataPlan[Row]:
    """Chain the audited changes that are not chained yet; return the head of the chain."""
    yield from numbered(dialect)
    yield from atomically()
    if dialect == "postgresql":
        yield from _asked("lock")
    head = (yield from _asked("head")).items[0]
    while True:
        rows = yield from _asked("entries", _since=head["sealed"], _most=BATCH)
        if not rows.items:
            return head
        links = _links(head["link"], rows.items, keys[0])
        sequences = [row["sequence"] for row in rows.items]
        yield from _linked(dialect, sequences, links)
        head = {**head, "sealed": sequences[-1], "entries": head["entries"] + len(links), "link": links[-1]}
        yield from _asked("sealed", _sealed=head["sealed"], _entries=head["entries"], _link=head["link"])


def _linked(dialect: Dialect, sequences: list[int], links: list[str]) -> DataPlan[None]:
    """Write down the links of these changes."""
    if dialect == "postgresql":
        yield from _asked("seal on postgresql", _sequences=sequences, _links=links)
    else:
        shape, rows = ("ledger", "seal on sqlite"), list(zip(sequences, links, strict=True))
        yield from repeat(shape, lambda: statements.statement("seal on sqlite"), ("_sequence", "_link"), rows)


def verify(dialect: Dialect, keys: Sequence[bytes]) -> DataPlan[Verified]:
    """Read all audited changes and make their chain anew. Raises: AuditBrokenError at the first that differs.

    An entry may be chained with any of *keys*; without a key only as long as none before it is chained with one.
    """
    head = yield from seal(dialect, keys)
    link, since, count, allowed = head["base"], 0, 0, [*keys, b""]
    while True:
        rows = yield from _asked("entries", _since=since, _most=BATCH)
        if not rows.items:
            break
        for row in rows.items:
            if row["sequence"] > head["sealed"]:
                break
            key = next((each for each in allowed if _same(row["link"], _links(link, [row], each)[0])), None)
            if key is None:
                raise _broken(f"audit entry {row['sequence']}, or one before it, is not what was written")
            link, count = row["link"], count + 1
            allowed = [*keys] if key else allowed
        since = rows.items[-1]["sequence"]
    if count != head["entries"] or not _same(link, head["link"]):
        raise _broken(f"the audit log has {count} entries, and {head['entries']} were chained")
    return Verified(count, link)


def _same(one: str | None, other: str) -> bool:
    return hmac.compare_digest(one or "", other)


def _broken(sentence: str) -> AuditBrokenError:
    return AuditBrokenError(
        sentence, hint="compare the log with a backup; entries up to the one before are as they were"
    )


def _links(link: str, rows: Sequence[Row], key: bytes) -> list[str]:
    """Return the link of each of *rows*, which follow an entry of the link *link*."""
    links = []
    for row in rows:
        at: dt.datetime = row["at"]
        content = [link, at.isoformat(timespec="microseconds"), *[row[name] for name in CONTENT]]
        text = msgspec.json.encode(content)
        link = hmac.digest(key, text, "sha256").hex() if key else hashlib.sha256(text).hexdigest()
        links.append(link)
    return links


CONTENT: Final = (
    "sequence", "model", "event", "record", "before", "after", "tenant", "actor", "channel", "request_id", "operation",
)  # fmt: skip

# -- retention -----------------------------------------------------------------------------------------------


def purge_changes(dialect: Dialect, before: dt.datetime) -> DataPlan[int]:
    """Forget changes that nobody audits and that are older than *before*; return how many."""
    yield from numbered(dialect)
    yield from atomically()
    found = yield from _asked("last change to go", _before=before)
    sequence = found.items[0]["sequence"]
    if sequence is None:
        return 0
    gone = yield from _asked("purge changes", _sequence=sequence, _before=before)
    yield from _asked("purged", _sequence=sequence)
    return gone.touched


def purge_entries(dialect: Dialect, before: dt.datetime, keys: Sequence[bytes]) -> DataPlan[int]:
    """Forget audited changes from the oldest to the last before *before*; the rest of the chain still holds."""
    yield from seal(dialect, keys)
    found = yield from _asked("last entry to go", _before=before)
    if not found.items:
        return 0
    end = found.items[0]
    gone = yield from _asked("purge entries", _sequence=end["sequence"])
    yield from _asked("rebase", _base=end["link"], _gone=gone.touched)
    yield from _asked("purged", _sequence=end["sequence"])
    return gone.touched


def _asked(what: str, /, *filters: str, **values: Any) -> DataPlan[Rows]:
    shape = ("ledger", what, filters)
    return (yield from query(shape, lambda: statements.statement(what, *filters), values, writes=what not in READS))
