"""What others wrote to a table, and no trigger told of, found by looking at it. Plans, and the tables they need.

Rule 1: `SEEN` has every record as the ledger last told of it, up to the number in `LOOKS`. Before a look it is brought
        up to what is told, some at a time: what we write ourselves costs nothing more and is told once.
Rule 2: one statement names the records whose text is not the one in `SEEN`. It joins on the key of `SEEN` as it
        stands, so that either database goes through the table once, and keeps no writer waiting.
Rule 3: only those are read, some at a time, and compared as they were declared: a text may differ by a new field, a
        time zone, or whose trigger spelled it. Those that still differ are told with writers kept away, so that it
        stands in the ledger before whatever is written next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from dataflow.effects import DataPlan, Row, Rows, after_commit, apart, atomically, query
from dataflow.ledger import order
from dataflow.ledger.spelling import Reader, literal, on_postgresql, on_sqlite, plain, quoted
from dataflow.ledger.triggers import EVERYBODY, HEAD, TABLE, key_of
from dataflow.model.spec import TENANT
from dataflow.operations.dialect import Dialect
from kailash._lazy import Late
from kailash.plan import Plan

if TYPE_CHECKING:
    from dataflow.ledger import statements
    from dataflow.ledger.telling import Ledger
else:  # SQLAlchemy: 110 ms
    statements = Late("dataflow.ledger.statements")

SEEN: Final = "dataflow_seen"
LOOKS: Final = "dataflow_looks"
CHANNEL: Final = "polling"
PATIENCE: Final = "2s"  # that writers are waited for, and wait behind us; arbitrary
MOST: Final = 100_000  # records that are named at once; arbitrary: their ids take some 10 MB
BATCH: Final = 1_000  # records that are compared and told at once; arbitrary: writers wait for less than 0.1 s
STEP: Final = 5_000  # changes that are brought into `SEEN` at once; arbitrary: the same
SLACK: Final = 1_000  # changes of other models after which the number in `LOOKS` moves on; arbitrary
CREATE: Final = (
    (
        f"CREATE TABLE IF NOT EXISTS {SEEN} (model TEXT NOT NULL, record TEXT NOT NULL, content TEXT NOT NULL,"
        " PRIMARY KEY (model, record))"
    ),
    f"CREATE TABLE IF NOT EXISTS {LOOKS} (model TEXT PRIMARY KEY, sequence BIGINT NOT NULL)",
)
_COLUMNS: Final = ("event", "record", "before", "after", "tenant", "key")  # of `_given`
_KEYS: Final[Mapping[Any, str]] = {int: "BIGINT", str: "TEXT", UUID: "UUID"}  # the types of ids
_LAST: Final = {
    "postgresql": f"coalesce((SELECT sequence FROM {HEAD}), 0)",
    "sqlite": f"coalesce((SELECT max(sequence) FROM {TABLE}), 0)",
}
_UNWALLED: Final = "SET LOCAL row_security = off"  # who would not be shown all records is refused: they have not gone
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1  # of BIGINT


class Sight:
    """How the table of one model is looked at."""

    def __init__(self, ledger: Ledger, dialect: Dialect) -> None:
        spec = ledger.spec
        self.ledger, self.dialect, self.reader = ledger, dialect, Reader(spec)
        self._kind = spec.by_name["id"].python_type
        model, table, own = literal(spec.name), quoted(spec.table), key_of(spec, "t")
        record, content = f"CAST({own} AS TEXT)", on_sqlite(spec, "t", ledger.masked)
        if dialect == "postgresql":
            columns = on_postgresql(spec, "t", ledger.masked)
            content = f"(SELECT to_json(r)::text FROM (SELECT {columns}) AS r)"
        # The question whether the table was ever looked at: a row, if so.
        self.known = f"SELECT 1 FROM {LOOKS} WHERE model = {model}"
        # The statements that take the table as it is for seen; the number first: what is told meanwhile counts.
        self.begin = (
            f"INSERT INTO {LOOKS} VALUES ({model}, {_LAST[dialect]})",
            f"INSERT INTO {SEEN} (model, record, content) SELECT {model}, {record}, {content} FROM {table} AS t",
        )
        # In what a plan asks, a colon begins a bind.
        self._model, self._table, self._id, self._record, self._content = (
            part.replace(":", "\\:") for part in (model, table, own, record, content)
        )

    def look(self, now: dt.datetime) -> Plan[DataPlan[Any], int]:
        """Tell of what others wrote; return how many changes that are. Each of its plans is a transaction by itself."""
        count = 0
        while True:
            while (yield from apart(self.catch_up())):
                pass
            records = yield from apart(self._suspects())
            settled = 0
            for at in range(0, len(records), BATCH):
                yield from apart(self.catch_up())  # what we wrote since is no reason to keep writers away
                differing = yield from apart(self._differing(records[at : at + BATCH]))
                if differing:
                    told, seen = yield from apart(self._tell([row["record"] for row in differing], now))
                    count, settled = count + told, settled + seen
            if len(records) < MOST or not settled:
                return count

    def catch_up(self) -> DataPlan[bool]:
        """Bring what was seen up to what is told and committed, as far as one step goes; return whether more waits."""
        yield from order.numbered(self.dialect)
        behind = yield from self._behind()
        if not behind["waiting"] and behind["until"] - behind["since"] < SLACK:
            return False
        yield from atomically(savepoint=False)
        if self.dialect == "postgresql":
            yield from order.locked()
        behind = yield from self._behind()  # somebody else may have come first, and told of more since
        yield from self._catch_up(behind["since"], behind["until"])
        return bool(behind["waiting"] == STEP)

    # -- finding ---------------------------------------------------------------------------------------------

    def _suspects(self) -> DataPlan[list[str]]:
        """Return the ids, at most `MOST`, of records whose text is not the one that was seen."""
        if self.dialect == "postgresql":
            yield from atomically()
            yield from self._asked(_UNWALLED, writes=True)
        sql = (
            f"SELECT {self._record} AS record FROM {self._table} AS t"
            f" LEFT JOIN {SEEN} s ON s.model = {self._model} AND s.record = {self._record}"
            f" WHERE s.record IS NULL OR s.content <> {self._content}"
            f" UNION ALL SELECT g.record FROM (SELECT record FROM {SEEN} WHERE model = {self._model}"
            f" EXCEPT SELECT {self._record} FROM {self._table} AS t) AS g LIMIT :_most"
        )
        found = yield from self._asked(sql, {"_most": MOST}, columns={"record": str})
        return [row["record"] for row in found.items]

    def _differing(self, records: Iterable[str]) -> DataPlan[list[Row]]:
        """Return those of *records* whose text is not the one that was seen: record, before, after."""
        same = f"{self._id} = f.key AND f.record = {self._record}"  # by the text alone it would read the whole table
        if self.dialect == "sqlite":
            same = f"{self._id} = f.record AND f.record = {self._record} COLLATE BINARY"
        sql = (
            "SELECT f.record AS record, s.content AS before,"
            f" CASE WHEN {self._id} IS NOT NULL THEN {self._content} END AS after FROM {self._given}"
            f" LEFT JOIN {SEEN} s ON s.model = {self._model} AND s.record = f.record"
            f" LEFT JOIN {self._table} AS t ON {same}"
        )
        given = _json({"record": each, "key": self._key(each)} for each in records)
        columns = dict.fromkeys(("record", "before", "after"), str)
        found = yield from self._asked(sql, {"_given": given}, columns=columns)
        return [row for row in found.items if row["before"] != row["after"]]

    def _key(self, record: str) -> Any:
        """Return an id as its column has it; None where no record can have it any more."""
        value = self.reader.read_id(record)
        if not isinstance(value, self._kind) or (isinstance(value, int) and not _LOWEST <= value <= _HIGHEST):
            return None
        return value

    # -- telling ---------------------------------------------------------------------------------------------

    def _tell(self, records: list[str], now: dt.datetime) -> DataPlan[tuple[int, int]]:
        """Tell of those of *records* that differ; return how many changes that are, and how many texts."""
        yield from atomically()
        if self.dialect == "postgresql":
            yield from self._asked(_UNWALLED, writes=True)
            yield from self._asked(f"SET LOCAL lock_timeout = '{PATIENCE}'", writes=True)
            yield from self._asked(f"LOCK TABLE {self._table} IN SHARE ROW EXCLUSIVE MODE", writes=True)
        while (yield from self.catch_up()):
            pass
        rows = yield from self._differing(records)
        found = [change for row in rows if (change := self._change(row)) is not None]
        if found:
            yield from self._note(found, now)
            yield from after_commit(*self.ledger.deeds())
        if rows:
            yield from self._see(rows)
        return len(found), len(rows)

    def _change(self, row: Row) -> Row | None:
        """Return what happened to a record; None where its text alone differs."""
        before, after = row["before"], row["after"]
        event = "create" if before is None else "delete" if after is None else "update"
        if event == "update" and not self._differ(before, after):
            return None
        own = plain(before if after is None else after).get(TENANT) if TENANT in self.ledger.spec.by_name else None
        return {**row, "event": event, "tenant": own}

    def _differ(self, before: str, after: str) -> bool:
        was, now = plain(before), plain(after)
        changed = [name for name, value in was.items() if name in now and now[name] != value]
        if not changed:
            return False
        old, new = self.reader.record(before) or {}, self.reader.record(after) or {}
        return any(old[name] != new[name] for name in changed)

    def _note(self, found: list[Row], now: dt.datetime) -> DataPlan[None]:
        """Write these changes into the ledger."""
        audited = str(self.ledger.audited).lower()
        sql = (
            f"INSERT INTO {TABLE} (at, model, event, record, before, after, tenant, channel, operation, audited)"
            f" SELECT :_at, {self._model}, f.event, f.record, f.before, f.after, f.tenant, '{CHANNEL}', f.event,"
            f" {audited} FROM {self._given}"
        )
        yield from self._asked(sql, {"_at": now, "_given": _json(found)}, writes=True)

    # -- what was seen ---------------------------------------------------------------------------------------

    def _behind(self) -> DataPlan[Row]:
        """Return the numbers between which the next step is, and how many changes of the model *wait* there."""
        sql = (
            f"WITH told AS (SELECT c.sequence FROM {TABLE} c WHERE {self._told}"
            f" AND c.sequence > (SELECT sequence FROM {LOOKS} WHERE model = {self._model})"
            " ORDER BY c.sequence LIMIT :_step), step AS ("
            "SELECT count(*) AS waiting, max(sequence) AS latest FROM told)"
            " SELECT l.sequence AS since, step.waiting AS waiting,"
            f" CASE WHEN step.waiting = :_step THEN step.latest ELSE {_LAST[self.dialect]} END AS until"
            f" FROM {LOOKS} l, step WHERE l.model = {self._model}"
        )
        columns = dict.fromkeys(("since", "waiting", "until"), int)
        return (yield from self._asked(sql, {"_step": STEP}, columns=columns)).items[0]

    def _catch_up(self, since: int, until: int) -> DataPlan[None]:
        last = (  # of each record; in one pass, for a join of the ledger with itself may go either way
            "(SELECT c.record, c.after, row_number() OVER (PARTITION BY c.record ORDER BY c.sequence DESC) AS nth"
            f" FROM {TABLE} c WHERE {self._told} AND c.sequence > :_since AND c.sequence <= :_until) AS l"
        )
        step = {"_since": since, "_until": until}
        renewed = f"SELECT {self._model}, l.record, l.after FROM {last} WHERE l.nth = 1 AND l.after IS NOT NULL"
        yield from self._renewed(renewed, step)
        yield from self._forgotten(f"SELECT l.record FROM {last} WHERE l.nth = 1 AND l.after IS NULL", step)
        moved = f"UPDATE {LOOKS} SET sequence = :_until WHERE model = {self._model} AND sequence < :_until"
        yield from self._asked(moved, {"_until": until}, writes=True)

    def _see(self, rows: list[Row]) -> DataPlan[None]:
        given, source = {"_given": _json(rows)}, self._given
        renewed = f"SELECT {self._model}, f.record, f.after FROM {source} WHERE f.after IS NOT NULL"
        yield from self._renewed(renewed, given)
        yield from self._forgotten(f"SELECT f.record FROM {source} WHERE f.after IS NULL", given)

    def _renewed(self, records: str, values: Mapping[str, Any]) -> DataPlan[None]:
        columns = "(model, record, content)"
        otherwise = "ON CONFLICT (model, record) DO UPDATE SET content = excluded.content"
        yield from self._asked(f"INSERT INTO {SEEN} {columns} {records} {otherwise}", values, writes=True)

    def _forgotten(self, records: str, values: Mapping[str, Any]) -> DataPlan[None]:
        gone = f"DELETE FROM {SEEN} WHERE model = {self._model} AND record IN ({records})"
        yield from self._asked(gone, values, writes=True)

    # -- statements ------------------------------------------------------------------------------------------

    @property
    def _told(self) -> str:
        """The condition that *c* is a change of a record of the model."""
        return f"c.model = {self._model} AND c.event <> '{EVERYBODY}'"

    @property
    def _given(self) -> str:
        """The rows that a statement is given, by the name *f*: `_COLUMNS`."""
        if self.dialect == "postgresql":
            typed = [f"{name} {_KEYS[self._kind] if name == 'key' else 'TEXT'}" for name in _COLUMNS]
            return f"json_to_recordset(CAST(:_given AS json)) AS f({', '.join(typed)})"
        columns = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in _COLUMNS)
        return f"(SELECT {columns} FROM json_each(:_given)) AS f"

    def _asked(
        self,
        sql: str,
        values: Mapping[str, Any] | None = None,
        *,
        columns: Mapping[str, type] | None = None,
        writes: bool = False,
    ) -> DataPlan[Rows]:
        given = values or {}

        def build() -> Any:
            return statements.of(sql, {name: type(value) for name, value in given.items()}, columns or {})

        return (yield from query(("looking", sql), build, given, writes=writes))


def _json(rows: Iterable[Row]) -> str:
    return msgspec.json.encode(list(rows)).decode()
