"""The ledger of changes: whatever is written is told, once, in order, with its transaction; by either face."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, ForeignKey
from dataflow.errors import (
    AuditBrokenError,
    DataFlowError,
    DuplicateError,
    FeedPositionError,
    RecordNotFoundError,
)
from dataflow.model.spec import Secret
from kailash.context import Context
from kailash.errors import ConfigurationError, WorkflowExecutionError
from kailash.events import Event
from kailash.runtime.local import LocalRuntime
from kailash.workflow.builder import WorkflowBuilder
from suites import samples
from suites.faces import Face, Facing

ANN = Context(principal="ann", tenant="acme", channel="rest", request_id="r-1")


def changes(face: Face, since: int = 0) -> list[tuple[str, str, Any]]:
    """What the feed says: (event, model, id)."""
    return [(each.event, each.model, each.id) for each in face.db.feed.read(since)]


class Shop:
    """Fixtures: audited customers and their orders, which go with them."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url)

        @db.model
        class Customer:
            email: str
            name: str = ""
            token: Annotated[str | None, Secret()] = None

            __indexes__ = [{"fields": ["email"], "unique": True}]
            __dataflow__ = {"audit_log": True}

        @db.model
        class Order:
            customer_id: Annotated[int, ForeignKey("Customer.id", on_delete="cascade")]
            total: float = 0.0
            status: str = "pending"

            __dataflow__ = {"feed": True}

        @db.model
        class Note:
            text: str

        return faced(db)

    def customer(self, shop: Face, email: str = "ann@example.org", **more: Any) -> Any:
        return shop.do("customers.create", email=email, **more)["id"]


class Told(Shop):
    def test_every_operation_tells_what_it_wrote(self, shop: Face) -> None:
        def row(n: int, name: str = "") -> dict[str, Any]:
            return {"email": f"{n}@example.org", "name": name}

        shop.do("customers.create", row(1))
        shop.do("customers.update", id=1, name="One")
        shop.do("customers.update", filter={"name": "One"}, fields={"name": "Eins"})
        shop.do("customers.upsert", where={"email": "1@example.org"}, create={}, update={"name": "Uno"})
        shop.do("customers.upsert", where={"email": "2@example.org"}, create={}, update={"name": "Two"})
        two = shop.express("find_one", "Customer", {"email": "2@example.org"})["id"]
        shop.do("customers.bulk_update", filter={"id": 1}, update={"name": "Ichi"})
        shop.do("customers.bulk_update", data=[{"id": 1, "name": "Yksi"}])
        shop.do("customers.bulk_delete", ids=[two])
        shop.do("customers.delete", id=1)

        told = shop.db.feed.read()

        names = [(each.event, (each.before or {}).get("name"), (each.after or {}).get("name")) for each in told]
        assert names == [
            ("create", None, ""),
            ("update", "", "One"),
            ("update", "One", "Eins"),
            ("update", "Eins", "Uno"),
            ("create", None, ""),
            ("update", "Uno", "Ichi"),
            ("update", "Ichi", "Yksi"),
            ("delete", "", None),
            ("delete", "Yksi", None),
        ]
        assert [each.sequence for each in told] == sorted({each.sequence for each in told})

    @pytest.mark.parametrize("how", ["plain", "returning", "skip", "not atomic"])
    def test_a_bulk_tells_of_every_row(self, shop: Face, how: str) -> None:
        ways: dict[str, dict[str, Any]] = {
            "plain": {},
            "returning": {"returning": True},
            "skip": {"on_conflict": "skip"},
            "not atomic": {"atomic": False},
        }
        rows = [{"email": f"{n}@example.org"} for n in range(25)]
        shop.do("customers.bulk_create", data=rows[:1])

        written = shop.do("customers.bulk_create", data=rows[1:], **ways[how])

        assert written["inserted"] == 24
        assert [each.after["email"] for each in shop.db.feed.read() if each.after] == [row["email"] for row in rows]

    def test_a_large_bulk_leaves_what_follows_told(self, shop: Face) -> None:
        """Kept or refused, alone or in a transaction: large ones are told of as a whole."""
        rows = [{"email": f"{n}@example.org"} for n in range(150)]

        for attempt in range(2):
            with pytest.raises(DuplicateError):
                shop.do("customers.bulk_create", data=[*rows, rows[0]])
            with shop.transaction():
                with pytest.raises(DuplicateError), shop.transaction():
                    shop.do("customers.bulk_create", data=[*rows, rows[0]])
                self.customer(shop, f"within{attempt}@example.org")
            self.customer(shop, f"alone{attempt}@example.org")
        shop.do("customers.bulk_create", data=rows)
        self.customer(shop, "last@example.org")

        told = [each.after["email"].partition("@")[0] for each in shop.db.feed.read() if each.after]
        numbers = [str(n) for n in range(150)]
        assert told == ["within0", "alone0", "within1", "alone1", *numbers, "last"]

    @pytest.mark.parametrize("resolution", ["update", "skip"])
    def test_a_bulk_upsert_tells_what_came_and_what_changed(self, shop: Face, resolution: str) -> None:
        self.customer(shop, "0@example.org")
        rows = [{"email": f"{n}@example.org", "name": "new"} for n in range(3)]

        shop.do("customers.bulk_upsert", data=rows, conflict_on=["email"], conflict_resolution=resolution)

        told = [each.event for each in shop.db.feed.read(since=1)]
        assert sorted(told) == ["create", "create"] + (["update"] if resolution == "update" else [])

    def test_a_write_that_changes_nothing_is_no_change(self, shop: Face) -> None:
        self.customer(shop)

        shop.do("customers.upsert", where={"email": "ann@example.org"}, create={}, update={})

        assert len(changes(shop)) == 1

    def test_what_was_refused_is_not_told(self, shop: Face) -> None:
        self.customer(shop)

        with pytest.raises(DuplicateError, match="email"):
            self.customer(shop)
        with pytest.raises(RecordNotFoundError):
            shop.do("customers.update", id=99, name="Nobody")

        assert len(changes(shop)) == 1

    def test_what_goes_with_another_record_is_told_too(self, shop: Face) -> None:
        """Lesson 23: a feed that misses deletes."""
        customer = self.customer(shop)
        order = shop.do("orders.create", customer_id=customer)["id"]

        shop.do("customers.delete", id=customer)

        assert ("delete", "Order", order) in changes(shop) and ("delete", "Customer", customer) in changes(shop)

    def test_a_transaction_is_told_when_it_is_kept_and_never_when_it_is_undone(self, shop: Face) -> None:
        with pytest.raises(ZeroDivisionError), shop.transaction():
            self.customer(shop, "undone@example.org")
            raise ZeroDivisionError
        with shop.transaction():
            self.customer(shop, "kept@example.org")

        assert [each.after["email"] for each in shop.db.feed.read() if each.after] == ["kept@example.org"]

    def test_a_rollback_does_not_make_later_writes_untold(self, shop: Face) -> None:
        """What a connection makes inside a transaction goes when that is undone; triggers are no exception."""
        for number in range(3):
            with pytest.raises(DuplicateError), shop.transaction():
                self.customer(shop, f"{number}@example.org")
                self.customer(shop, f"{number}@example.org")
            with shop.transaction():
                with pytest.raises(ZeroDivisionError), shop.transaction():
                    shop.do("notes.create", text="inner")
                    self.customer(shop, "inner@example.org")
                    raise ZeroDivisionError
                self.customer(shop, f"{number}@example.com")

        assert [event for event, _, _ in changes(shop)] == ["create"] * 3

    def test_workflows_are_told_as_anything_else(self, shop: Face) -> None:
        """Lesson 23: a feed that misses writes made by workflows."""
        builder = WorkflowBuilder()
        builder.add_node("CustomerCreateNode", "one", {"email": "w@example.org"})
        builder.add_node("OrderCreateNode", "order", {"customer_id": "$one.id", "total": 5})
        LocalRuntime().execute(builder.build())

        assert [(event, model) for event, model, _ in changes(shop)] == [("create", "Customer"), ("create", "Order")]

    def test_a_model_that_nobody_asked_for_is_not_told_and_costs_nothing(self, shop: Face) -> None:
        shop.do("notes.create", text="quiet")

        assert shop.db.models["Note"].teller is None
        assert changes(shop) == []

    def test_a_row_of_ten_megabytes_is_stored_and_told(self, shop: Face) -> None:
        """Lesson 24: an event that is too large must not make the user's INSERT fail."""
        name = "x" * 10_000_000

        self.customer(shop, name=name)

        (told,) = shop.db.feed.read()
        assert told.after is not None and told.after["name"] == name

    def test_records_are_told_as_they_were_declared(self, shop: Face) -> None:
        told_sample = shop.db.model(type("Sample", (samples.Sample,), {"__dataflow__": {"feed": True}}))
        rows = [
            {k: v for k, v in row.items() if k not in ("id", "created_at", "updated_at")} for row in samples.RECORDS
        ]
        shop.do("samples.bulk_create", data=rows)
        shop.do("samples.create", rows[0])

        stored = shop.express("list", told_sample.__name__, limit=None)
        told = [each.after for each in shop.db.feed.read()]

        different = [
            (name, one[name], other[name])
            for one, other in zip(told, stored, strict=True)
            for name in one or {}
            if one is not None and (one[name], type(one[name])) != (other[name], type(other[name]))
        ]
        assert different == []

    def test_a_model_that_is_declared_later_is_told_from_its_first_write(self, shop: Face) -> None:
        self.customer(shop)

        @shop.db.model
        class Late:
            name: str

            __dataflow__ = {"feed": True}

        shop.do("lates.create", name="late")

        assert changes(shop, since=1) == [("create", "Late", 1)]


class Replayed(Shop):
    @given(data=st.data())
    def test_the_feed_says_all_that_there_is_to_know(self, shop: Face, data: st.DataObject) -> None:
        """Replaying the changes gives the table, whatever was done to it."""
        db = shop.db
        shop.do("customers.bulk_delete", filter={}, confirmed=True)
        since = db.feed.last()
        emails = st.integers(0, 4).map(lambda n: f"{n}@example.org")
        for _ in range(data.draw(st.integers(1, 6))):
            _something(shop, data, emails)

        replayed: dict[Any, Any] = {}
        for change in db.feed.read(since, 1000):
            assert replayed.get(change.id) == change.before
            if change.after is None:
                del replayed[change.id]
            else:
                replayed[change.id] = change.after

        assert replayed == {row["id"]: row for row in shop.express("list", "Customer", limit=None)}
        assert db.audit.verify().entries > 0


def _something(shop: Face, data: st.DataObject, emails: st.SearchStrategy[str]) -> None:
    """Do one operation, which may be refused."""
    email, name = data.draw(emails), data.draw(st.sampled_from(["a", "b", "é'\"\\"]))
    rows = [{"email": each, "name": name} for each in data.draw(st.lists(emails, min_size=1, max_size=4, unique=True))]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("create", {"email": email, "name": name}),
        ("update", {"filter": {"email": email}, "fields": {"name": name}}),
        ("upsert", {"where": {"email": email}, "create": {"name": name}, "update": {"name": name}}),
        ("delete", {"filter": {"email": email}}),
        ("bulk_create", {"data": rows}),
        ("bulk_create", {"data": rows, "on_conflict": "skip", "returning": True}),
        ("bulk_create", {"data": rows, "atomic": False}),
        ("bulk_update", {"filter": {"email__in": [row["email"] for row in rows]}, "update": {"name": name}}),
        ("bulk_upsert", {"data": rows, "conflict_on": ["email"]}),
        ("bulk_delete", {"filter": {"name": name}}),
    ]
    operation, inputs = data.draw(st.sampled_from(asked))
    try:
        if data.draw(st.booleans()):
            with shop.transaction():
                shop.do(f"customers.{operation}", inputs)
                if data.draw(st.booleans()):
                    raise ZeroDivisionError
        else:
            shop.do(f"customers.{operation}", inputs)
    except (DataFlowError, ZeroDivisionError):
        pass


class Order(Shop):
    def test_since_goes_on_where_a_reader_stopped(self, shop: Face) -> None:
        for number in range(5):
            self.customer(shop, f"{number}@example.org")

        first = shop.db.feed.read(limit=2)
        rest = shop.db.feed.read(first[-1].sequence)

        assert [each.id for each in (*first, *rest)] == [1, 2, 3, 4, 5]
        assert shop.db.feed.read(rest[-1].sequence) == []
        assert shop.db.feed.last() == rest[-1].sequence

    def test_changes_that_are_not_kept_any_more_are_an_error_and_not_a_gap(self, shop: Face) -> None:
        shop.do("orders.create", customer_id=self.customer(shop))

        assert shop.db.feed.purge(older_than=-1) == 1

        with pytest.raises(FeedPositionError, match="no longer kept"):
            shop.db.feed.read(since=0)
        assert shop.db.feed.read(since=shop.db.feed.last()) == []

    def test_a_tenant_reads_its_own(self, shop: Face) -> None:
        capability = next(each for each in shop.db.capabilities() if each.name == "customers.create")
        for tenant in ("acme", "globex"):
            capability.direct({"email": f"{tenant}@example.org"}, Context(tenant=tenant))

        assert [each.id for each in shop.db.feed.read(tenant="globex")] == [2]


class Heard(Shop):
    def test_a_listener_hears_each_committed_change_once(self, shop: Face) -> None:
        heard: list[Event] = []
        enough = threading.Event()

        @shop.db.on_model_change("Note")
        def hear(event: Event) -> None:
            heard.append(event)
            if event.after and event.after["text"] == "last":
                enough.set()

        shop.do("notes.create", text="first")
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.do("notes.create", text="undone")
            raise ZeroDivisionError
        shop.do("notes.update", id=1, text="second")
        shop.do("notes.delete", id=1)
        shop.do("notes.create", text="last")

        assert enough.wait(20)
        assert [each.event for each in heard] == ["create", "update", "delete", "create"]

    def test_a_listener_that_fails_does_not_keep_others_from_hearing(self, shop: Face) -> None:
        heard = threading.Event()
        shop.db.on_model_change("Note", lambda event: heard.wait(1 // 0))  # a division by zero
        shop.db.on_model_change("Note", lambda event: heard.set(), events=["create"])

        shop.do("notes.create", text="x")

        assert heard.wait(20)

    def test_a_listener_can_ask_for_the_change_of_a_field(self, shop: Face) -> None:
        heard: list[Any] = []
        shop.db.on_model_change("Order", lambda event: heard.append(event.after), events=["status_change"])
        shop.do("orders.create", customer_id=self.customer(shop))
        shop.do("orders.update", id=1, total=5)
        shop.do("orders.update", id=1, status="paid")

        shop.db.close()

        assert [each["status"] for each in heard] == ["paid"]

    def test_an_event_that_there_is_not_is_refused(self, shop: Face) -> None:
        with pytest.raises(ConfigurationError, match="statsu_change"):
            shop.db.on_model_change("Order", print, events=["statsu_change"])

    def test_closing_hands_out_what_is_committed(self, shop: Face) -> None:
        heard: list[Any] = []
        shop.db.on_model_change("Note", lambda event: heard.append(event.id))
        shop.do("notes.create", text="x")

        shop.db.close()

        assert heard == [1]


class Consumed(Shop):
    """Those who hear under a name go on where they stood."""

    def until(self, db: DataFlow, number: int, heard: list[Any], name: str = "billing") -> None:
        """Listen under *name* until *number* changes are heard."""
        enough = threading.Event()

        def hear(event: Event) -> None:
            heard.append(event.id)
            if len(heard) >= number:
                enough.set()

        end = db.on_model_change("Note", hear, name=name)
        assert enough.wait(30)
        end()

    def test_a_name_goes_on_after_the_last_change_that_it_heard(self, shop: Face) -> None:
        heard: list[Any] = []
        shop.db.on_model_change("Note", heard.append, name="billing")()  # from here on
        for number in range(3):
            shop.do("notes.create", text=str(number))
        self.until(shop.db, 3, heard)
        for number in range(250):  # more than a batch
            shop.do("notes.create", text=str(number))
        self.until(shop.db, 253, heard)

        assert heard == list(range(1, 254))

    def test_a_change_that_could_not_be_dealt_with_is_told_again_before_the_next(self, shop: Face) -> None:
        seen: list[Any] = []
        done = threading.Event()

        @shop.db.on_model_change("Note", name="mail")
        def hear(event: Event) -> None:
            seen.append(event.id)
            if seen == [1]:
                raise ZeroDivisionError
            if event.id == 2:
                done.set()

        shop.do("notes.create", text="1")
        shop.do("notes.create", text="2")

        assert done.wait(30)
        assert seen == [1, 1, 2]

    def test_one_process_serves_a_name_and_another_takes_over(self, shop: Face, url: str) -> None:
        first, second = threading.Event(), threading.Event()
        with DataFlow(url) as other:

            @other.model
            class Note:
                text: str

            shop.db.on_model_change("Note", lambda event: first.set(), name="one")
            shop.do("notes.create", text="1")
            assert first.wait(30)
            other.on_model_change("Note", lambda event: second.set(), name="one")
            shop.do("notes.create", text="2")
            shop.db.close()
            assert not second.is_set()
            other.express_sync.create("Note", {"text": "3"})

            assert second.wait(30)

    def test_a_name_is_served_once_in_a_process_and_has_to_be_one(self, shop: Face) -> None:
        shop.db.on_model_change("Note", print, name="once")

        with pytest.raises(ConfigurationError, match="once"):
            shop.db.on_model_change("Order", print, name="once")
        with pytest.raises(ConfigurationError, match="cannot be called"):
            shop.db.on_model_change("Order", print, name="../x")

    def test_a_consumer_that_comes_too_late_is_told_so(self, shop: Face, caplog: pytest.LogCaptureFixture) -> None:
        shop.db.on_model_change("Note", print, name="late")()
        shop.do("notes.create", text="1")
        shop.do("notes.create", text="2")
        shop.db.feed.purge(older_than=-1)

        shop.db.on_model_change("Note", print, name="late")()

        assert "consumer late came too late" in caplog.text
        shop.db.feed.move("late", shop.db.feed.last())
        shop.do("notes.create", text="3")
        heard: list[Any] = []
        self.until(shop.db, 1, heard, "late")
        assert heard == [3]

    def test_changes_are_kept_for_as_long_as_is_asked(self, shop: Face, url: str) -> None:
        shop.db.feed.enable("Note")
        shop.do("notes.create", text="1")
        with DataFlow(url, feed_retention=3600, change_detection_method="outbox") as other:
            assert other.feed.purge() == 0
        with DataFlow(url, feed_retention=0.001, change_detection_method="outbox") as other:
            assert other.feed.purge() == 1

    def test_the_events_that_start_workflows_are_told_by_their_names(self, shop: Face) -> None:
        told: list[tuple[str, Any]] = []
        sent = threading.Event()

        @shop.db.model
        class Parcel:
            status: str = "new"
            weight: int = 0

            __dataflow__ = {"workflow_events": ["create", "status_change"]}

        def hear(name: str, event: Event) -> None:
            told.append((name, event.id))
            if len(told) == 2:
                sent.set()

        end = shop.db.on_workflow_event(hear)
        shop.db.prepare()
        shop.do("parcels.create")
        shop.do("parcels.update", id=1, weight=5)
        shop.do("parcels.update", id=1, status="sent")

        assert sent.wait(30)
        assert told == [("parcel_create", 1), ("parcel_status_change", 1)]
        end()


class Audited(Shop):
    def test_an_entry_says_who_did_what_and_when(self, shop: Face) -> None:
        capability = next(each for each in shop.db.capabilities() if each.name == "customers.bulk_create")
        capability.direct({"data": [{"email": "x@example.org"}]}, ANN)

        (entry,) = shop.db.audit.query(actor="ann", model="Customer", id=1)

        assert (entry.actor, entry.tenant, entry.channel, entry.request_id) == ("ann", "acme", "rest", "r-1")
        assert (entry.operation, entry.event, entry.before) == ("bulk_create", "create", None)
        assert entry.after is not None and entry.after["email"] == "x@example.org"
        assert dt.datetime.now(dt.UTC) - entry.at < dt.timedelta(minutes=1)
        assert shop.db.audit.query(actor="bob") == []

    @pytest.mark.parametrize("actor", ['quo"te', "back\\slash", "comma,{brace}", "NULL", "", "é'; --", "x" * 10_000])
    def test_any_name_of_an_actor_is_kept_as_it_is(self, shop: Face, actor: str) -> None:
        capability = next(each for each in shop.db.capabilities() if each.name == "customers.create")
        capability.direct({"email": "x@example.org"}, Context(principal=actor))

        assert shop.db.audit.query()[0].actor == actor

    def test_entries_of_a_record_are_found_whether_they_are_chained_yet_or_not(self, shop: Face) -> None:
        self.customer(shop)
        self.customer(shop, "b@example.org")
        shop.db.audit.seal()
        shop.do("customers.update", id=1, email="c@example.org")
        shop.do("customers.update", id=2, email="d@example.org")

        found = [(each.id, each.event) for each in shop.db.audit.query(model="Customer", id=1)]

        assert found == [(1, "update"), (1, "create")]

    def test_secrets_are_masked(self, shop: Face) -> None:
        self.customer(shop, token="hunter2")
        self.customer(shop, "b@example.org")
        shop.do("customers.update", id=1, token="hunter3")

        tokens = [(each.after or {})["token"] for each in shop.db.audit.query()]

        assert tokens == ["***", None, "***"]
        assert [event.after["token"] for event in shop.db.feed.read() if event.after] == ["***", None, "***"]

    def test_only_audited_models_have_entries(self, shop: Face) -> None:
        shop.do("orders.create", customer_id=self.customer(shop))

        assert [each.model for each in shop.db.audit.query()] == ["Customer"]
        assert len(changes(shop)) == 2

    @pytest.mark.parametrize(
        ("what", "given"),
        [
            ("create", {"email": "b@example.org"}),
            ("update", {"id": 1, "name": "changed"}),
            ("update", {"filter": {"name": ""}, "fields": {"name": "changed"}}),
            ("upsert", {"where": {"email": "b@example.org"}, "create": {}, "update": {}}),
            ("upsert", {"where": {"email": "ann@example.org"}, "create": {}, "update": {"name": "changed"}}),
            ("delete", {"id": 1}),
            ("bulk_create", {"data": [{"email": "b@example.org"}]}),
            ("bulk_create", {"data": [{"email": f"{n}@example.org"} for n in range(150)]}),
            ("bulk_create", {"data": [{"email": "b@example.org"}], "returning": True}),
            ("bulk_create", {"data": [{"email": "b@example.org"}], "on_conflict": "skip"}),
            ("bulk_create", {"data": [{"email": "b@example.org"}], "atomic": False}),
            ("bulk_update", {"filter": {"id": 1}, "update": {"name": "changed"}}),
            ("bulk_update", {"data": [{"id": 1, "name": "changed"}]}),
            ("bulk_upsert", {"data": [{"email": "ann@example.org", "name": "changed"}], "conflict_on": ["email"]}),
            ("bulk_delete", {"ids": [1]}),
        ],
    )
    def test_a_write_that_cannot_be_audited_does_not_happen(self, shop: Face, what: str, given: dict[str, Any]) -> None:
        """By whichever path, alone, in a transaction or in a workflow."""
        self.customer(shop)
        before = shop.do("customers.list")["records"]
        with shop.db.connection() as connection:
            connection.ask("DROP TABLE dataflow_changes")

        with pytest.raises(DataFlowError):
            shop.do(f"customers.{what}", given)
        with pytest.raises(DataFlowError), shop.transaction():
            shop.do(f"customers.{what}", given)
        builder = WorkflowBuilder()
        builder.add_node(f"Customer{what.title().replace('_', '')}Node", "one", given)
        with pytest.raises(WorkflowExecutionError):
            LocalRuntime().execute(builder.build())

        assert shop.do("customers.list")["records"] == before

    @pytest.mark.parametrize(
        ("tampering", "named"),
        [
            ("UPDATE dataflow_changes SET actor = 'mallory' WHERE sequence = 2", "entry 2,"),
            ("UPDATE dataflow_changes SET after = '{}' WHERE sequence = 1", "entry 1,"),
            ("UPDATE dataflow_changes SET at = '2000-01-01T00:00:00.000000+00:00' WHERE sequence = 3", "entry 3,"),
            ("UPDATE dataflow_changes SET audited = (1 = 0) WHERE sequence = 2", "entry 3, or one before"),
            ("DELETE FROM dataflow_changes WHERE sequence = 2", "entry 3, or one before"),
            ("DELETE FROM dataflow_changes WHERE sequence = 3", "has 2 entries, and 3 were"),
            ("DELETE FROM dataflow_changes", "has 0 entries, and 3 were"),
            ("UPDATE dataflow_changes SET link = NULL WHERE sequence = 3", "entry 3,"),
        ],
    )
    def test_an_entry_that_was_changed_or_removed_is_named(self, shop: Face, tampering: str, named: str) -> None:
        for number in range(3):
            self.customer(shop, f"{number}@example.org")
        assert shop.db.audit.verify().entries == 3
        with shop.db.connection() as connection:
            connection.ask(tampering)

        with pytest.raises(AuditBrokenError, match=named):
            shop.db.audit.verify()

    def test_the_chain_goes_on_after_it_was_looked_at(self, shop: Face) -> None:
        links = []
        for number in range(3):
            self.customer(shop, f"{number}@example.org")
            links.append(shop.db.audit.verify())

        assert [each.entries for each in links] == [1, 2, 3]
        assert len({each.link for each in links}) == 3

    def test_what_is_left_after_old_entries_are_forgotten_still_holds(self, shop: Face) -> None:
        """Whatever the clock of the machine did meanwhile: it may have been set back, and then fewer are forgotten."""
        for number in range(3):
            self.customer(shop, f"{number}@example.org")
        at = [each.at for each in reversed(shop.db.audit.query())]
        old = next(place for place, moment in enumerate(at) if moment >= at[2])

        assert shop.db.audit.purge(at[2]) == old

        assert shop.db.audit.verify().entries == 3 - old
        self.customer(shop, "later@example.org")
        assert shop.db.audit.verify().entries == 4 - old

    def test_a_clock_that_was_set_back_makes_nothing_forgotten_too_early(self, shop: Face) -> None:
        """An entry is as old as it says, and those after one that is young enough stay with it."""
        for number in range(3):
            self.customer(shop, f"{number}@example.org")
        numbered = "position" if shop.db.url.dialect == "postgresql" else "sequence"
        with shop.db.connection() as connection:
            for place, day in ((1, 1), (2, 20), (3, 2)):
                moment = f"2026-01-{day:02}T00:00:00.000000+00:00"
                connection.ask(f"UPDATE dataflow_changes SET at = ? WHERE {numbered} = ?", (moment, place))

        assert shop.db.audit.purge(dt.datetime(2026, 1, 10, tzinfo=dt.UTC)) == 1
        assert [each.id for each in shop.db.audit.query()] == [3, 2]
        assert shop.db.audit.verify().entries == 2
