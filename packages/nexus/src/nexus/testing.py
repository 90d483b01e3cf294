"""What tests of nexus, and of applications on it, build on.

`notes_provider` is a small real provider: the eleven operations of one resource over a dict. It keeps the shapes
of inputs and results that a database's capabilities have, so a channel that serves it serves a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kailash import conditions
from kailash.capability import Capability, Nature
from kailash.context import Context
from kailash.errors import InvalidInputError, KailashError, Kind, Problem
from kailash.shapes import Field, Shape
from nexus.call import Call

if TYPE_CHECKING:
    from nexus.app import Nexus

Row = dict[str, Any]
Done = Mapping[str, Any]

RECORD = Shape(
    "Note",
    (
        Field("id", int),
        Field("title", str),
        Field("body", str | None, None),
        Field("stars", int, 0),
        Field("done", bool, False),
        Field("tags", list[str], []),
        Field("created_at", datetime),
    ),
)
GIVEN = frozenset({"id", "created_at"})
OBJECT: dict[str, Any] = {"type": "object"}
TEXT: dict[str, Any] = {"type": "string"}
NAMES: dict[str, Any] = {"type": "array", "items": TEXT}
ROWS: dict[str, Any] = {"type": "array", "items": OBJECT}


class NoteNotFoundError(KailashError):
    """No note has that id."""

    kind = Kind.NOT_FOUND
    code = "record_not_found"


class DuplicateNoteError(KailashError):
    """Another note has that title."""

    kind = Kind.CONFLICT
    code = "duplicate"


class UnfilteredError(KailashError):
    """A change of every note was not confirmed."""

    kind = Kind.UNCONFIRMED
    code = "unconfirmed"


class Intake:
    """Named inputs: a JSON Schema of each, the required ones, and a check of the whole."""

    def __init__(self, properties: Mapping[str, Any], required: Iterable[str] = (), *, check: Any = None) -> None:
        self._properties = dict(properties)
        self._required = list(required)
        self._check = check

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": self._properties,
            "required": self._required,
            "additionalProperties": False,
        }

    def accept(self, given: Mapping[str, Any]) -> Any:
        if self._check is not None:
            return self._check(given)
        problems = [
            Problem(name, "unknown_field", f"no input is named {name!r}")
            for name in given
            if name not in self._properties
        ]
        problems += [Problem(name, "missing", f"{name!r} is missing") for name in self._required if name not in given]
        if problems:
            raise InvalidInputError(problems[0].message, problems=problems)
        return dict(given)


class NotesProvider:
    """Notes in memory, and the eleven things one can do with them. ``notes``: id -> record.

    record: what a note is; its ``id`` and ``created_at`` come from the provider.
    """

    def __init__(self, resource: str = "notes", record: Shape = RECORD) -> None:
        self.resource = resource
        self.record = record
        self.fresh = Shape(f"{record.name}Create", [each for name, each in record.fields.items() if name not in GIVEN])
        self.asked: list[tuple[str, Any]] = []  # the actions that were called, with their inputs
        self.notes: dict[int, Row] = {}
        self.revision = 1
        self.prepared = 0  # times that prepare ran
        self.closed = False
        self._next = 1

    def capabilities(self) -> Iterable[Capability]:
        return [self._offer(action, *each) for action, each in self._actions().items()]

    def prepare(self) -> None:
        self.prepared += 1

    def close(self) -> None:
        self.closed = True

    def _actions(self) -> dict[str, tuple[Nature, Intake, Callable[[Row], Done]]]:
        where, one, rows = {"filter": OBJECT}, {"id": {"type": "integer"}}, {"data": ROWS}
        names = {"fields": NAMES}
        page = {
            "sort": TEXT,
            "limit": {"type": "integer"},
            "offset": {"type": "integer"},
            "cursor": TEXT,
            "count": TEXT,
        }
        ids = {"ids": {"type": "array"}, "confirmed": {"type": "boolean"}}
        upsert = {"where": OBJECT, "create": OBJECT, "update": OBJECT}
        read, write, destroy = Nature.READ, Nature.WRITE, Nature.DESTROY
        fresh = self.fresh.schema()
        return {
            "create": (
                write,
                Intake(fresh["properties"], fresh.get("required", ()), check=self.fresh.check),
                self._create,
            ),
            "read": (read, Intake({**one, **where, **names}), self._read),
            "update": (write, Intake({**one, **where, "fields": OBJECT}, ["fields"]), self._update),
            "delete": (destroy, Intake({**one, **where}), self._delete),
            "list": (read, Intake({**where, **page, **names}), self._list),
            "count": (read, Intake(where), self._count),
            "upsert": (write, Intake(upsert, ["where", "create"]), self._upsert),
            "bulk_create": (write, Intake(rows, ["data"]), self._bulk_create),
            "bulk_update": (write, Intake({**rows, **where, "fields": OBJECT}), self._bulk_update),
            "bulk_delete": (destroy, Intake({**where, **ids}), self._bulk_delete),
            "bulk_upsert": (write, Intake({**rows, "conflict_on": NAMES}, ["data"]), self._bulk_upsert),
        }

    def _offer(self, action: str, nature: Nature, inputs: Intake, do: Callable[[Row], Done]) -> Capability:
        def call(given: Any, context: Context) -> Done:
            self.asked.append((action, given))
            return do(given)

        async def acall(given: Any, context: Context) -> Done:
            return call(given, context)

        return Capability(
            name=f"{self.resource}.{action}",
            summary=f"{action.replace('_', ' ').capitalize()} notes.",
            nature=nature,
            inputs=inputs,
            output=lambda: dict(OBJECT),
            call=call,
            acall=acall,
            resource=self.resource,
            action=action,
            record=self.record,
            bulk=action.startswith("bulk_"),
            idempotent=nature is Nature.READ,
        )

    # --- the eleven ---

    def _create(self, given: Row) -> Done:
        fields = self.fresh.check(given)
        if "title" in fields and any(note["title"] == fields["title"] for note in self.notes.values()):
            raise DuplicateNoteError("another note has this 'title'", problems=[Problem("title", "duplicate", "taken")])
        made = {"id": self._next, "created_at": datetime(2026, 1, 1, tzinfo=UTC), **deepcopy(self.fresh.fill(fields))}
        note = {name: made[name] for name in self.record.fields}
        self.notes[self._next] = note
        self._next += 1
        return dict(note)

    def _read(self, given: Row) -> Done:
        return {**_chosen(self._one(given), given.get("fields")), "found": True}

    def _update(self, given: Row) -> Done:
        note = self._one(given)
        note.update(self.fresh.check(given["fields"], partial=True))
        return {**note, "updated": True, "rows_affected": 1}

    def _delete(self, given: Row) -> Done:
        note = self._one(given)
        del self.notes[note["id"]]
        return {"id": note["id"], "deleted": True}

    def _list(self, given: Row) -> Done:
        rows = self._matching(given.get("filter"))
        for key in reversed([part for part in (given.get("sort") or "").split(",") if part]):
            name = key.lstrip("-")
            sample = rows[0][name] if rows else self.record.fields[name].default
            self.record.check_value(name, None if name == "body" else sample)
            rows.sort(key=lambda row: (row[name] is None, row[name]), reverse=key.startswith("-"))
        start = int(given.get("cursor") or given.get("offset") or 0)
        limit = given.get("limit") or 100
        page = rows[start : start + limit]
        answer: Row = {
            "records": [_chosen(row, given.get("fields")) for row in page],
            "count": len(page),
            "limit": limit,
            "offset": start,
            "next_cursor": str(start + limit) if start + limit < len(rows) else None,
        }
        return {**answer, "total": len(rows)} if given.get("count") in {"exact", True} else answer

    def _count(self, given: Row) -> Done:
        return {"count": len(self._matching(given.get("filter")))}

    def _upsert(self, given: Row) -> Done:
        found = self._matching(given["where"])
        if found:
            found[0].update(self.fresh.check(given.get("update") or {}, partial=True))
            return {"record": dict(found[0]), "created": False, "action": "updated"}
        return {"record": self._create({**given["where"], **given["create"]}), "created": True, "action": "created"}

    def _bulk_create(self, given: Row) -> Done:
        rows = [self.fresh.check(row) for row in given["data"]]
        ids = [self._create(row)["id"] for row in rows]
        return {"inserted": len(ids), "processed": len(ids), "failed": 0, "errors": [], "success": True, "ids": ids}

    def _bulk_update(self, given: Row) -> Done:
        if "data" in given:
            for row in given["data"]:
                self._update({"id": row["id"], "fields": {key: row[key] for key in row if key != "id"}})
            return {"updated": len(given["data"]), "processed": len(given["data"]), "success": True}
        found = self._matching(given.get("filter"))
        for note in found:
            note.update(self.fresh.check(given["fields"], partial=True))
        return {"updated": len(found), "processed": len(found), "success": True}

    def _bulk_delete(self, given: Row) -> Done:
        if "ids" in given:
            found = [self.notes[each] for each in given["ids"] if each in self.notes]
        else:
            if not given.get("filter") and not given.get("confirmed"):
                raise UnfilteredError("this deletes every note", hint="confirm it with confirmed=true")
            found = self._matching(given.get("filter"))
        for note in found:
            del self.notes[note["id"]]
        return {"deleted": len(found), "processed": len(found), "success": True}

    def _bulk_upsert(self, given: Row) -> Done:
        made = [
            self._upsert({"where": {"title": row["title"]}, "create": row, "update": row})["created"]
            for row in given["data"]
        ]
        counts = {"inserted": sum(made), "updated": len(made) - sum(made), "skipped": 0, "upserted": len(made)}
        return {**counts, "processed": len(made), "success": True}

    def _one(self, given: Row) -> Row:
        if "id" in given:
            wanted = self.record.check_value("id", given["id"])
            found = [note for note in self.notes.values() if note["id"] == wanted]
        else:
            found = self._matching(given.get("filter"))[:1]
        if not found:
            raise NoteNotFoundError(f"no note has the id {given.get('id')!r}", hint="list the notes to see their ids")
        return found[0]

    def _matching(self, given: Any) -> list[Row]:
        where = given if not isinstance(given, Mapping | None) else conditions.parse(given or {}, RECORD)
        return [note for note in self.notes.values() if conditions.matches(where, note)]


async def ask(app: Nexus, name: str, inputs: Mapping[str, Any] | None = None, *, channel: str = "python") -> Done:
    """Return what *app* answers to a call, through its whole pipeline.

    name: of the capability, ``"products.list"``. Raises: the error of the outcome.
    """
    outcome = await app.answer(Call(channel, name, inputs or {}))
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def notes_provider(resource: str = "notes") -> NotesProvider:
    """Return a provider of notes, empty; *resource* is the plural that names its capabilities."""
    return NotesProvider(resource)


def _chosen(row: Row, names: Iterable[str] | None) -> Row:
    return {name: row[name] for name in names} if names else dict(row)
