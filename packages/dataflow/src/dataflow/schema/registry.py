"""Which applications use this database, with which models: told from one row for each set of models of each.

Rule 1: the row says what the catalogue looked like when these models were last found in order. That is what a start
        compares; nothing else is read when nothing changed.
Rule 2: two applications may know a model differently. Each is told at its start, and both go on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from dataflow._version import __version__
from dataflow.errors import SchemaMismatchError
from dataflow.schema import fingerprint, history
from dataflow.schema.connection import Connection

TABLE: Final = "dataflow_applications"

_COLUMNS: Final = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (application TEXT NOT NULL, models TEXT NOT NULL, catalogue TEXT NOT NULL,"
    " notice TEXT NOT NULL, specs TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL, first_seen {when} NOT NULL,"
    " last_changed {when} NOT NULL, PRIMARY KEY (application, models))"
)
CREATE: Final = {
    "postgresql": _COLUMNS.format(when="TIMESTAMP WITH TIME ZONE"),
    "sqlite": _COLUMNS.format(when="TEXT"),
}


_SEEN: Final = f"SELECT catalogue, notice FROM {TABLE} WHERE application = ? AND models = ?"
_STANDING: Final = _SEEN.replace(" FROM", f", ({fingerprint.POSTGRESQL}) FROM", 1)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One set of models of one application."""

    application: str
    models: str  # their digest
    specs: Mapping[str, Any]  # model -> `dataflow.schema.wanted.plain`
    host: str
    version: str
    first_seen: dt.datetime
    last_changed: dt.datetime


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one model."""

    model: str
    number: int  # from 1, in the order in which this database saw them
    digest: str
    spec: Mapping[str, Any]
    applications: tuple[str, ...]
    first_seen: dt.datetime


def exists(connection: Connection) -> bool:
    """Whether the table of applications is there."""
    return bool(connection.ask(history.EXISTS[connection.dialect], (TABLE,))[0][0])


def in_order(connection: Connection, application: str, models: str, names: Sequence[str]) -> str | None:
    """Return what *application* is to be told where its *models* were in order and the catalogue is as it was then.

    names: their tables. None: they were never in order here, or something changed. It is one question on PostgreSQL,
    which the database refuses where there is no table of applications yet: not for a transaction that goes on.
    """
    if connection.dialect == "postgresql":
        try:
            rows = connection.ask(_STANDING, (sorted(names), application, models))
        except SchemaMismatchError:
            return None
    elif exists(connection):
        rows = connection.ask(_SEEN, (application, models))
        rows = [(*row, fingerprint.fingerprint(connection, names)) for row in rows]
    else:
        return None
    return next((str(notice) for seen, notice, now in rows if seen == now), None)


def note(
    connection: Connection, application: str, models: str, specs: Mapping[str, Any], *, catalogue: str, host: str
) -> str:
    """Write down that these models are in order now; return what the application is to be told."""
    others = [each for each in read(connection) if each.application != application]
    notice = "; ".join(_disagreements(specs, _latest(others)))
    now = dt.datetime.now(dt.UTC).isoformat()
    connection.ask(
        f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (application, models) DO UPDATE SET"
        " catalogue = excluded.catalogue, notice = excluded.notice, host = excluded.host, version = excluded.version,"
        " last_changed = excluded.last_changed",
        (application, models, catalogue, notice, msgspec.json.encode(specs).decode(), host, __version__, now, now),
    )
    for other in _latest(others):
        told = "; ".join(_disagreements(other.specs, [_entry_of(application, specs, other)]))
        if told:
            connection.ask(
                f"UPDATE {TABLE} SET notice = ? WHERE application = ? AND models = ?",
                (told, other.application, other.models),
            )
    return notice


def read(connection: Connection) -> list[Entry]:
    """Return all entries, oldest first; none where there is no table."""
    if not exists(connection):
        return []
    rows = connection.ask(
        f"SELECT application, models, specs, host, version, first_seen, last_changed FROM {TABLE}"
        " ORDER BY first_seen, application"
    )
    return [
        Entry(
            application=application,
            models=models,
            specs=msgspec.json.decode(specs),
            host=host,
            version=version,
            first_seen=_moment(first),
            last_changed=_moment(last),
        )
        for application, models, specs, host, version, first, last in rows
    ]


def versions(entries: Iterable[Entry]) -> list[Version]:
    """Return every version of every model that these entries tell of, by model and number."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        for model, spec in entry.specs.items():
            found.setdefault((model, digest(spec)), []).append(entry)
    counted: dict[str, int] = {}
    listed = []
    for (model, each), users in found.items():
        counted[model] = counted.get(model, 0) + 1
        names = tuple(dict.fromkeys(entry.application for entry in users))
        listed.append(
            Version(
                model=model,
                number=counted[model],
                digest=each,
                spec=users[0].specs[model],
                applications=names,
                first_seen=users[0].first_seen,
            )
        )
    return sorted(listed, key=lambda version: (version.model, version.number))


def current(entries: Iterable[Entry], specs: Mapping[str, Any]) -> dict[str, int]:
    """Return ``{model: number of its version}`` for *specs*; a new one gets the next number."""
    known = versions(entries)
    numbers = {(version.model, version.digest): version.number for version in known}
    highest: dict[str, int] = {}
    for version in known:
        highest[version.model] = max(highest.get(version.model, 0), version.number)
    return {model: numbers.get((model, digest(spec)), highest.get(model, 0) + 1) for model, spec in specs.items()}


def digest(spec: Any) -> str:
    """Return a short digest of one model."""
    return hashlib.sha256(msgspec.json.encode(spec, order="sorted")).hexdigest()[:12]


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return, in sentences, what *other* has otherwise than *one*."""
    said = []
    if one["table"] != other["table"]:
        said.append(f"table {one['table']} is {other['table']}")
    fields = {field["name"]: field for field in one["fields"]}, {field["name"]: field for field in other["fields"]}
    said += [f"without {name}" for name in fields[0] if name not in fields[1]]
    said += [f"with {name}" for name in fields[1] if name not in fields[0]]
    for name in fields[0]:
        if name in fields[1] and fields[0][name] != fields[1][name]:
            keys = sorted({*fields[0][name], *fields[1][name]})
            parts = [
                f"{key} {fields[0][name].get(key)!r} is {fields[1][name].get(key)!r}"
                for key in keys
                if fields[0][name].get(key) != fields[1][name].get(key)
            ]
            said.append(f"{name}: {', '.join(parts)}")
    if one["indexes"] != other["indexes"]:
        said.append("other indexes")
    return said


def _latest(entries: Iterable[Entry]) -> list[Entry]:
    """Return the latest entry of each application."""
    latest: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda each: each.last_changed):
        latest[entry.application] = entry
    return [*latest.values()]


def _disagreements(specs: Mapping[str, Any], others: Iterable[Entry]) -> list[str]:
    told = []
    plain = msgspec.json.decode(msgspec.json.encode(specs))
    for other in others:
        for model, spec in plain.items():
            if model in other.specs and (said := compare(spec, other.specs[model])):
                told.append(f"application {other.application!r} knows {model} {', '.join(said)}")
    return told


def _entry_of(application: str, specs: Mapping[str, Any], like: Entry) -> Entry:
    plain = msgspec.json.decode(msgspec.json.encode(specs))
    return msgspec.structs.replace(like, application=application, specs=plain)


def _moment(value: Any) -> dt.datetime:
    return value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
