"""Every version of every record, on any database, by either face."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, Encrypted
from dataflow.errors import ModelError, RecordNotFoundError, SchemaMismatchError, VersionConflictError
from dataflow.model.spec import ForeignKey
from dataflow.perform import perform
from kailash.context import Context
from kailash.errors import InvalidInputError
from suites import samples
from suites.evolution import item
from suites.faces import Face, Facing

ANN = Context(principal="ann", tenant="acme", channel="rest", request_id="r1")
OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
VERSIONED = {"versioned": True}


def said(versions: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return those facts of each version."""
    return [tuple(each[name] for name in names) for each in versions]


class Desk:
    """Fixtures: notes of tenants, of which every version is kept."""

    @pytest.fixture
    def desk(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url, multi_tenant=True)

        @db.model
        class Note:
            title: str
            stars: int = 0

            __dataflow__ = {"versioned": True, "soft_delete": True, "audit_log": True}
            __indexes__ = [{"fields": ["title"], "unique": True}]

        return faced(db)

    @staticmethod
    def ask(desk: Face, what: str, context: Context = ANN, **inputs: Any) -> Any:
        return desk.within(context, f"notes.{what}", inputs)

    def versions(self, desk: Face, id: int, context: Context = ANN, **inputs: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(desk, "history", context, id=id, **inputs)["versions"]
        return found


class History(Desk):
    def test_a_version_says_when_how_and_by_whom_it_was_made(self, desk: Face) -> None:
        before = dt.datetime.now(dt.UTC)
        note = self.ask(desk, "create", title="a")
        self.ask(desk, "update", id=note["id"], stars=1)

        latest, first = self.versions(desk, note["id"])

        assert first["record"] == note
        assert {**latest["record"], "found": True} == self.ask(desk, "read", id=note["id"])
        assert said([latest, first], "version", "event", "operation") == [
            (2, "update", "update"),
            (1, "create", "create"),
        ]
        assert (latest["actor"], latest["channel"], latest["request_id"]) == ("ann", "rest", "r1")
        assert before <= first["at"] < latest["at"] <= dt.datetime.now(dt.UTC)

    def test_every_path_keeps_the_version_that_it_makes(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]
        self.ask(desk, "update", filter={"title": "a"}, fields={"stars": {"$inc": 1}})
        self.ask(desk, "bulk_update", filter={"title": "a"}, update={"stars": 3})
        self.ask(desk, "bulk_update", data=[{"id": id, "stars": 4}])
        self.ask(desk, "upsert", title="a", stars=5, conflict_on=["title"])
        self.ask(desk, "bulk_upsert", data=[{"title": "a", "stars": 6}], conflict_on=["title"])
        with desk.transaction():
            self.ask(desk, "update", id=id, stars=7)
        self.ask(desk, "delete", id=id)
        self.ask(desk, "restore", id=id)
        self.ask(desk, "bulk_delete", ids=[id])

        versions = self.versions(desk, id, include_deleted=True)

        assert [each["version"] for each in versions] == [*range(10, 0, -1)]
        assert [each["record"]["stars"] for each in versions] == [7, 7, 7, 7, 6, 5, 4, 3, 1, 0]
        assert [each["record"]["deleted_at"] is not None for each in versions[:3]] == [True, False, True]

    @pytest.mark.parametrize("returning", [True, False])
    def test_many_at_once_have_their_versions_too(self, desk: Face, returning: bool) -> None:
        self.ask(desk, "bulk_create", data=[{"title": str(n)} for n in range(50)], returning=returning)
        self.ask(desk, "bulk_upsert", data=[{"title": str(n), "stars": n} for n in range(60)], conflict_on=["title"])

        listed = self.ask(desk, "list", limit=None)["records"]
        counts = [len(self.versions(desk, each["id"])) for each in listed]

        assert counts == [2] * 50 + [1] * 10
        assert [self.versions(desk, each["id"])[0]["record"] for each in listed[48:52]] == listed[48:52]

    def test_what_is_rolled_back_was_never_there(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]
        with pytest.raises(ZeroDivisionError), desk.transaction():
            self.ask(desk, "update", id=id, stars=1)
            raise ZeroDivisionError

        assert len(self.versions(desk, id)) == 1

    def test_versions_come_a_page_at_a_time(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]
        for stars in range(1, 6):
            self.ask(desk, "update", id=id, stars=stars)

        page = self.versions(desk, id, limit=4)
        rest = self.versions(desk, id, limit=4, before=page[-1]["version"])

        assert [each["version"] for each in (*page, *rest)] == [6, 5, 4, 3, 2, 1]
        assert self.versions(desk, id, before=1) == []

    def test_a_tenant_learns_nothing_of_anothers_history(self, desk: Face) -> None:
        theirs, now = Context(tenant="globex"), dt.datetime.now
        id = self.ask(desk, "create", title="a")["id"]
        self.ask(desk, "update", id=id, stars=1)

        for what, inputs in (("history", {}), ("revert", {"version": 1}), ("read", {"as_of": 1})):
            with pytest.raises(RecordNotFoundError):
                self.ask(desk, what, theirs, id=id, **inputs)
        assert self.ask(desk, "list", theirs, as_of=now(dt.UTC))["records"] == []
        assert self.ask(desk, "count", theirs, as_of=now(dt.UTC)) == {"count": 0}
        assert self.ask(desk, "read", id=id)["version"] == 2
        with desk.db.all_tenants(reason="look at everything"):
            assert len(desk.db.express_sync.history("Note", id)) == 2

    def test_the_history_of_a_deleted_record_is_hidden_and_that_of_a_purged_one_is_gone(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]
        then = dt.datetime.now(dt.UTC)
        self.ask(desk, "delete", id=id)

        with pytest.raises(RecordNotFoundError):
            self.versions(desk, id)
        assert len(self.versions(desk, id, include_deleted=True)) == 2
        assert self.ask(desk, "read", id=id, as_of=then)["title"] == "a"

        self.ask(desk, "purge", id=id)
        with pytest.raises(RecordNotFoundError):
            self.versions(desk, id, include_deleted=True)
        assert self.ask(desk, "count", as_of=then) == {"count": 0}


class AsOf(Desk):
    def test_records_are_read_listed_and_counted_as_they_were(self, desk: Face) -> None:
        times = [dt.datetime.now(dt.UTC)]
        ids = []
        for title in "abc":
            ids.append(self.ask(desk, "create", title=title)["id"])
            times.append(dt.datetime.now(dt.UTC))
        self.ask(desk, "update", id=ids[0], title="z", stars=5)
        self.ask(desk, "delete", id=ids[1])
        times.append(dt.datetime.now(dt.UTC))

        titles = [
            [each["title"] for each in self.ask(desk, "list", as_of=time, sort="-title")["records"]] for time in times
        ]

        assert titles == [[], ["a"], ["b", "a"], ["c", "b", "a"], ["z", "c"]]
        assert [self.ask(desk, "count", as_of=time)["count"] for time in times] == [0, 1, 2, 3, 2]
        assert self.ask(desk, "read", id=ids[0], as_of=times[2])["title"] == "a"
        assert self.ask(desk, "read", id=ids[0], as_of=times[2].isoformat())["title"] == "a"
        assert self.ask(desk, "list", as_of=times[3], filter={"title": "a"}, count=True)["total"] == 1
        with pytest.raises(RecordNotFoundError):
            self.ask(desk, "read", id=ids[2], as_of=times[2])

    def test_pages_of_the_past_hold_together(self, desk: Face) -> None:
        self.ask(desk, "bulk_create", data=[{"title": str(n)} for n in range(7)])
        then = dt.datetime.now(dt.UTC)
        self.ask(desk, "bulk_update", filter={}, update={"stars": 1}, confirmed=True)
        self.ask(desk, "bulk_delete", filter={"title__lt": "4"})
        seen, cursor = [], None
        while True:
            page = self.ask(desk, "list", as_of=then, sort="-stars", limit=3, cursor=cursor)
            seen += page["records"]
            if (cursor := page["next_cursor"]) is None:
                break

        assert [(each["title"], each["stars"]) for each in seen] == [(str(n), 0) for n in range(7)]

    def test_one_record_is_read_in_one_of_its_versions(self, desk: Face) -> None:
        note = self.ask(desk, "create", title="a")
        self.ask(desk, "update", id=note["id"], stars=1)

        first = self.ask(desk, "read", id=note["id"], as_of=1)

        assert {name: first[name] for name in note} == note
        with pytest.raises(RecordNotFoundError):
            self.ask(desk, "read", id=note["id"], as_of=3)

    @pytest.mark.parametrize("bad", ["soon", -1, 0, 2**63, True, 1.5, "2026-13-01T00:00:00Z", "x" * 10_000, "\0"])
    def test_a_time_that_is_none_is_refused(self, desk: Face, bad: Any) -> None:
        with pytest.raises(InvalidInputError, match="as_of"):
            self.ask(desk, "read", id=1, as_of=bad)
        with pytest.raises(InvalidInputError, match="as_of"):
            self.ask(desk, "list", as_of=bad)

    def test_a_model_without_versions_has_no_past(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str, __dataflow__={"versioned": True, "history": False}))
            record = db.express_sync.create("Item", {"name": "a"})

            assert "items.history" not in {each.name for each in db.capabilities()}
            for ask in (
                lambda: db.express_sync.history("Item", record["id"]),
                lambda: db.express_sync.revert("Item", record["id"], 1),
                lambda: db.express_sync.list("Item", as_of="2026-01-01T00:00:00Z"),
            ):
                with pytest.raises(InvalidInputError, match="'history' is off"):
                    ask()
            with pytest.raises(ModelError, match="history"):
                db.model(type("Thing", (), {"__annotations__": {"a": str}, "__dataflow__": {"history": True}}))

    @given(seconds=st.lists(st.integers(-3, 3), min_size=1, max_size=8))
    def test_a_clock_that_jumps_loses_nothing(self, url: str, seconds: list[int]) -> None:
        """The order of versions is that of their numbers; a time finds the last that says it is not later."""
        with DataFlow(url) as db:
            db.model(item(name=str, size=(int, 0), __dataflow__=VERSIONED))
            db.prepare()
            face, noon = Face(db, blocking=True), dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
            times = [noon + dt.timedelta(seconds=each) for each in seconds]
            id = self._written(face, "items.create", {"name": "a"}, times[0])["id"]
            for size, time in enumerate(times[1:], 1):
                self._written(face, "items.update", {"id": id, "size": size}, time)

            assert [each["at"] for each in reversed(db.express_sync.history("Item", id))] == times
            for time in times:
                found = db.express_sync.read("Item", id, as_of=time)
                assert found is not None
                assert found["size"] == max(n for n, each in enumerate(times) if each <= time)
            assert db.express_sync.read("Item", id, as_of=min(times) - dt.timedelta(seconds=1)) is None

    @staticmethod
    def _written(face: Face, what: str, inputs: dict[str, Any], now: dt.datetime) -> Any:
        db = face.db
        capability = next(each for each in db.capabilities() if each.name == what)
        asked: Any = capability.inputs.accept(inputs)
        found = face.run(perform(asked.operation, db.models["Item"], Context(), db.url.dialect, now))
        return found[0] if isinstance(found, list) else found


class Reverting(Desk):
    def test_a_record_gets_the_values_of_an_earlier_version_as_another_change(self, desk: Face) -> None:
        note = self.ask(desk, "create", title="a", stars=1)
        self.ask(desk, "update", id=note["id"], title="b", stars=2)

        back = self.ask(desk, "revert", id=note["id"], version=1)

        assert (back["title"], back["stars"], back["version"]) == ("a", 1, 3)
        assert back["updated_at"] > note["updated_at"]
        assert back["created_at"] == note["created_at"]
        assert said(self.versions(desk, note["id"]), "version", "operation") == [
            (3, "revert"),
            (2, "update"),
            (1, "create"),
        ]
        entry = desk.db.audit.query(model="Note", operation="revert")[0]
        assert (entry.actor, entry.before["title"] if entry.before else "") == ("ann", "b")

    def test_a_revert_knows_what_it_reverts(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]
        self.ask(desk, "update", id=id, title="b")

        with pytest.raises(VersionConflictError):
            self.ask(desk, "revert", id=id, version=1, expected_version=1)
        assert self.ask(desk, "revert", id=id, version=1, expected_version=2)["title"] == "a"

    def test_a_version_that_never_was_changes_nothing(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]

        with pytest.raises(RecordNotFoundError, match="version 7"):
            self.ask(desk, "revert", id=id, version=7)
        for bad in ("1", 0, True, None, 2**63):
            with pytest.raises(InvalidInputError, match="version"):
                self.ask(desk, "revert", id=id, version=bad)
        assert self.ask(desk, "read", id=id)["version"] == 1

    def test_a_deleted_record_is_not_reverted(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]
        self.ask(desk, "delete", id=id)

        with pytest.raises(RecordNotFoundError):
            self.ask(desk, "revert", id=id, version=1)

    def test_a_value_whose_place_is_taken_is_a_duplicate(self, desk: Face) -> None:
        id = self.ask(desk, "create", title="a")["id"]
        self.ask(desk, "update", id=id, title="b")
        self.ask(desk, "create", title="a")

        with pytest.raises(Exception, match="title"):
            self.ask(desk, "revert", id=id, version=1)


class Keeping:
    """What is kept, and what becomes of it when the model changes."""

    def test_a_version_is_the_record_in_every_type(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(type("Sample", (samples.Sample,), {"__dataflow__": VERSIONED}))

            rows = [{k: v for k, v in row.items() if k in db.spec("Sample").settable.fields} for row in samples.RECORDS]
            rows = [{k: v for k, v in row.items() if k != "id"} for row in rows]
            db.express_sync.bulk_create("Sample", rows)
            stored = db.express_sync.list("Sample", limit=None)
            created = db.express_sync.create("Sample", rows[0])
            changed = [
                db.express_sync.update("Sample", record["id"], row)
                for record, row in zip(stored, reversed(rows), strict=True)
            ]

            assert repr(db.express_sync.history("Sample", created["id"])[0]["record"]) == repr(created)
            for before, after in zip(stored, changed, strict=True):
                latest, first = db.express_sync.history("Sample", before["id"])
                assert repr([first["record"], latest["record"]]) == repr([before, after])

    def test_an_old_version_has_no_value_of_a_later_field(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str, __dataflow__=VERSIONED))
            id = db.express_sync.create("Item", {"name": "a"})["id"]
        with DataFlow(url) as db:
            db.model(item(name=str, size=(int, 3), label=(str | None, None), __dataflow__=VERSIONED))
            db.express_sync.update("Item", id, {"name": "b", "size": 9})

            latest, first = db.express_sync.history("Item", id)
            back = db.express_sync.revert("Item", id, 1)

            assert latest["record"]["size"] == 9
            assert "size" not in first["record"]
            assert first["record"]["label"] is None
            assert (back["name"], back["size"]) == ("a", 9)

    def test_a_new_name_of_the_table_and_of_a_field_is_one_of_their_history(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str, __tablename__="things", __dataflow__=VERSIONED))
            id = db.express_sync.create("Item", {"name": "a"})["id"]
        with DataFlow(url) as db:
            renamed = {"things": "items", "name": "title"}
            db.model(item(title=str, __renamed__=renamed, __dataflow__=VERSIONED))
            db.schema.migrate(accept=db.schema.plan().name)
            db.express_sync.update("Item", id, {"title": "b"})

            assert [each["record"]["title"] for each in db.express_sync.history("Item", id)] == ["b", "a"]

    def test_the_history_of_what_was_there_first_begins_with_it(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str, __dataflow__={"versioned": True, "history": False}))
            id = db.express_sync.create("Item", {"name": "a"})["id"]
        for _ in range(2):
            with DataFlow(url) as db:
                db.model(item(name=str, __dataflow__=VERSIONED))
                assert said(db.express_sync.history("Item", id), "version", "operation") == [(1, "history")]
        with DataFlow(url) as db:
            db.model(item(name=str, __dataflow__=VERSIONED))
            db.express_sync.update("Item", id, {"name": "b"})
            assert [each["record"]["name"] for each in db.express_sync.history("Item", id)] == ["b", "a"]

    @pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
    def test_what_goes_with_a_record_is_kept_and_audited_by_whoever_never_wrote_it(self, url: str, told: bool) -> None:
        """Lesson 23: also where nobody asked to be told of the record that it goes with."""
        policies = {"versioned": True, "audit_log": True}

        def opened() -> DataFlow:
            db = DataFlow(url)
            db.model(item(name=str, __dataflow__=policies if told else {}))
            line = {"__annotations__": {"item_id": Annotated[int, ForeignKey("Item.id", on_delete="cascade")]}}
            part = {"__annotations__": {"line_id": Annotated[int | None, ForeignKey("Line.id", on_delete="set null")]}}
            db.model(type("Line", (), {**line, "__dataflow__": policies}))
            db.model(type("Part", (), {**part, "__dataflow__": policies}))
            return db

        with opened() as db:
            for model, values in (("Item", {"name": "a"}), ("Line", {"item_id": 1}), ("Part", {"line_id": 1})):
                db.express_sync.create(model, values)
        with opened() as db:
            db.express_sync.delete("Item", 1)
            kept = [db.express_sync.history(model, 1)[0] for model in ("Line", "Part")]
            audited = {(each.model, each.event, each.operation) for each in db.audit.query(operation="delete")}

            assert said(kept, "event", "operation") == [("delete", "delete"), ("update", "delete")]
            assert kept[1]["record"]["line_id"] is None
            assert {("Line", "delete", "delete"), ("Part", "update", "delete")} <= audited

    def test_where_no_table_may_be_made_it_is_asked_for(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str))
            db.express_sync.create("Item", {"name": "a"})
        with DataFlow(url, auto_migrate=False) as db:
            db.model(item(name=str, __dataflow__=VERSIONED))
            with pytest.raises(SchemaMismatchError, match="dataflow_versions_items"):
                db.express_sync.list("Item")

    def test_encrypted_values_stay_so_and_are_opened_with_a_new_key(self, url: str) -> None:
        ward: Any = {"ssn": Annotated[str, Encrypted(searchable=True)], "__dataflow__": VERSIONED}
        with DataFlow(url, encryption_key=OLD) as db:
            db.model(item(name=str, **ward))
            id = db.express_sync.create("Item", {"name": "a", "ssn": "078-05-1120"})["id"]
            db.express_sync.update("Item", id, {"ssn": "219-09-9999"})
            with db.connection() as connection:
                stored = connection.ask("SELECT ssn FROM dataflow_versions_items")
            assert len(stored) == 2
            assert not any(b"078-05" in bytes(value) for (value,) in stored)
        with DataFlow(url, encryption_key=[NEW, OLD]) as db:
            db.model(item(name=str, **ward))
            done = db.rekey()
            assert all(step.failed == 0 for step in done)
        with DataFlow(url, encryption_key=NEW) as db:
            db.model(item(name=str, **ward))
            assert [each["record"]["ssn"] for each in db.express_sync.history("Item", id)] == [
                "219-09-9999",
                "078-05-1120",
            ]
            now = dt.datetime.now(dt.UTC)
            assert db.express_sync.count("Item", {"ssn": "219-09-9999"}, as_of=now) == 1
            assert db.express_sync.revert("Item", id, 1)["ssn"] == "078-05-1120"
