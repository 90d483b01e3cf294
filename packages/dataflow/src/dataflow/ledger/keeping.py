"""Triggers by which the table of a model has every version of its records kept (`dataflow.model.past`).

Rule 1: a version is written in the transaction of the write that makes it, whoever writes, one row or many.
Rule 2: columns are copied as they are stored: what is sealed stays sealed, and what belongs to a tenant names it.
Rule 3: sealing a value with another key makes no version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dataflow.ledger import triggers
from dataflow.ledger.spelling import FUNCTION, literal, quoted
from dataflow.ledger.triggers import KINDS, TOLD, Trigger
from dataflow.model import past
from dataflow.model.spec import ModelSpec

PREFIX: Final = "dataflow_keep"
BEGUN: Final = "history"  # the operation that begins the history of records that were there before it


class Keeper:
    """How the versions of one model's records are kept."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.table = past.table_name(spec.table)
        self.own = triggers.own(PREFIX, spec)
        self._columns = [field.stored_as for field in spec.fields]
        self.on_connections = tuple(self._on_sqlite())
        self.load = self._of_load()

    # -- PostgreSQL

    def on_table(self, schema: str) -> list[Trigger]:
        """Return the triggers of the table, one for each kind of statement."""
        return [self._on_postgresql(schema, kind) for kind in KINDS]

    def _on_postgresql(self, schema: str, kind: str) -> Trigger:
        into = f"INSERT INTO {quoted(schema)}.{quoted(self.table)} ({self._names()}) SELECT"
        same = f"old_.{self._id} = new_.{self._id}"
        old, new = (
            {event: f"{self._values(row, event, triggers.SAID)} FROM {row}" for event in ("create", "update", "delete")}
            for row in ("old_", "new_")
        )
        changed = f"{self._row('old_')} IS DISTINCT FROM {self._row('new_')}"
        statements = {
            "insert": [f"{into} {new['create']}"],
            "update": [
                f"{into} {new['update']} JOIN old_ ON {same} WHERE {changed}",
                f"{into} {new['create']} WHERE NOT EXISTS (SELECT FROM old_ WHERE {same})",  # an id that was changed
                f"{into} {old['delete']} WHERE NOT EXISTS (SELECT FROM new_ WHERE {same})",
            ],
            "delete": [f"{into} {old['delete']}"],
        }
        said = triggers.DECLARED.format(kind=literal(kind))
        body = f"{said} {' '.join(f'{each};' for each in statements[kind])} RETURN NULL; END "
        return triggers.statement_trigger(PREFIX, self.spec.table, schema, kind, body)

    def _row(self, row: str) -> str:
        compared = [field for field in self.spec.fields if field.encrypted is None]
        return triggers.row_of(compared, row)

    # -- SQLite

    def on_file(self) -> list[Trigger]:
        """Return the triggers of the table that keep what other programs write, one for each kind of statement."""

        def said(kind: str) -> tuple[str, str]:
            return self._said(kind, triggers.by_anybody(kind), anybody=True)

        return [triggers.file_trigger(PREFIX, self.own, self.spec, kind, *said(kind)) for kind in KINDS]

    def _on_sqlite(self) -> Iterator[str]:
        told = [f"{FUNCTION}({at})" for at in range(len(TOLD))]
        for kind in KINDS:
            yield from triggers.row_trigger(PREFIX, self.spec, kind, *self._said(kind, told, anybody=False))

    def _said(self, kind: str, values: Sequence[str], *, anybody: bool) -> tuple[str, str]:
        """Return when a version of a row is kept, and the statements that keep it."""
        told = dict(zip(TOLD, values, strict=True))
        into = f"INSERT INTO {quoted(self.table)} ({self._names()}) SELECT"
        came, changed, went = (
            f"{into} {self._values(row, event, told)}"
            for row, event in (("NEW", "create"), ("NEW", "update"), ("OLD", "delete"))
        )
        if kind != "update":
            return "", f"{came if kind == 'insert' else went};"
        same = triggers.alike([self.spec.by_name["id"]], anybody=anybody)
        compared = [field for field in self.spec.fields if field.encrypted is None]
        return (
            f" AND NOT ({triggers.alike(compared, anybody=anybody)})",
            f"{changed} WHERE {same}; {went} WHERE NOT ({same}); {came} WHERE NOT ({same});",
        )

    def _of_load(self) -> str:
        """Return the statement that keeps all records of one load: see `triggers.of_load`."""
        told = {name: f"?{at + 1}" for at, name in enumerate(TOLD)}
        values = self._values("new_", "create", told)
        into = f"INSERT INTO {quoted(self.table)} ({self._names()}) SELECT {values}"
        return f"{into} FROM main.{quoted(self.spec.table)} AS new_ WHERE new_.rowid > ?7 ORDER BY new_.rowid"

    # -- both

    @property
    def waiting(self) -> str:
        """The question whether there are records, and no version of any: a row, if so."""
        table, kept = quoted(self.spec.table), quoted(self.table)
        return (
            f"SELECT {literal(self.spec.table)} WHERE EXISTS (SELECT 1 FROM {table})"
            f" AND NOT EXISTS (SELECT 1 FROM {kept})"
        )

    def begin(self, at: str) -> str:
        """Return the statement that makes a version of each record that is there; at: an SQL expression of now."""
        told = {"at": at, "operation": literal(BEGUN)}
        values = self._values(quoted(self.spec.table), "create", told)
        return f"INSERT INTO {quoted(self.table)} ({self._names()}) SELECT {values} FROM {quoted(self.spec.table)}"

    @property
    def _id(self) -> str:
        return quoted(self.spec.by_name["id"].stored_as)

    def _names(self) -> str:
        return ", ".join([*map(quoted, self._columns), past.AT, past.EVENT, *past.WHO])

    def _values(self, row: str, event: str, told: Mapping[str, str]) -> str:
        own = [f"{row}.{quoted(column)}" for column in self._columns]
        who = [told.get(name.removeprefix("_"), "NULL") for name in past.WHO]
        return ", ".join([*own, told["at"], literal(event), *who])
