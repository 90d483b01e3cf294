"""`change_detection_method="polling"`: what others write past every trigger is found by looking; ours is told once."""

from __future__ import annotations

import datetime as dt
import queue
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, Encrypted
from dataflow.effects import Atomically, DataPlan, Effect, ask
from dataflow.ledger.looking import Sight
from dataflow.ledger.spelling import plain
from dataflow.ledger.telling import Teller
from dataflow.model.spec import Secret
from kailash.context import Context
from kailash.errors import ConfigurationError, KailashError
from kailash.events import Event
from kailash.plan import through
from suites.encryption import OLD as KEY
from suites.evolution import item
from suites.faces import Face, Facing
from suites.others import INTO_ITEM, NOW, Run, opened, told

ANN = Context(principal="ann", tenant="acme", channel="rest", request_id="r-1")
Step = tuple[str, int, int]  # what is done; to which record, and its value
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ours", "ours", "theirs", "theirs", "look", "read", "forget"]),
        st.integers(1, 3),
        st.integers(0, 2),
    )
)
LOOKER = """
import sys
sys.path[:0] = {path!r}
from suites import others

with others.opened({url!r}, method="polling") as db:
    print("ready", flush=True)
    for _ in sys.stdin:
        print(db.feed.look(), flush=True)
"""


def looked(face: Face) -> int:
    """Look by that face; return how many changes were found."""
    return int(face.feed("look"))


class ByLooking:
    """Subclasses give `url`, `other`, whose SQL no trigger tells of, and what refuses to see another record than 7."""

    only_seven: str

    @pytest.fixture
    def desk(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url, change_detection_method="polling", multi_tenant=True)

        @db.model
        class Customer:
            email: str
            balance: float = 0.0
            token: Annotated[str | None, Secret()] = None

            __dataflow__ = {"audit_log": True}

        face = faced(db)
        db.prepare()
        return face

    def test_replaying_the_feed_gives_the_table(self, url: str, other: Run, faced: Facing) -> None:
        """After any mix of writes, ours and others', looks and reads, by either face."""

        @given(STEPS)
        def replayed(steps: list[Step]) -> None:
            replay(face, other, steps)

        face = faced(opened(url, method="polling"))
        replayed()

    @staticmethod
    def insert(other: Run, email: str = "eve@example.org") -> None:
        other(
            "INSERT INTO customers (email, balance, token, tenant_id, created_at, updated_at)"
            f" VALUES ('{email}', 0.1, 'hidden', 'zeta', {NOW}, {NOW})"
        )

    def test_what_others_write_is_told_by_the_next_look(self, desk: Face, other: Run) -> None:
        for sql in ("", "UPDATE customers SET balance = 0.3", "DELETE FROM customers"):
            if sql:
                other(sql)
            else:
                self.insert(other)
            assert desk.db.feed.read(desk.db.feed.last()) == []
            assert (looked(desk), looked(desk)) == (1, 0)

        changes = desk.db.feed.read()

        assert [each.event for each in changes] == ["create", "update", "delete"]
        assert [(each.tenant, each.id) for each in changes] == [("zeta", 1)] * 3
        assert [(each.before or {}).get("balance") for each in changes] == [None, 0.1, 0.3]
        assert [(each.after or {}).get("token") for each in changes] == ["***", "***", None]

    def test_what_comes_and_goes_between_two_looks_is_not_seen(self, desk: Face, other: Run) -> None:
        self.insert(other)
        other("DELETE FROM customers")

        assert looked(desk) == 0
        assert told(desk.db) == []

    def test_what_we_write_is_told_once_with_who_wrote_it(self, desk: Face) -> None:
        desk.within(ANN, "customers.create", {"email": "1", "balance": 0.1})
        desk.within(ANN, "customers.bulk_create", {"data": [{"email": f"{n}"} for n in range(2, 203)]})
        desk.within(ANN, "customers.update", {"id": 1, "fields": {"balance": 1 / 3}})
        assert looked(desk) == 0
        desk.within(ANN, "customers.delete", {"id": 2})

        assert looked(desk) == 0
        assert len(told(desk.db)) == 204
        assert {(each.actor, each.channel) for each in desk.db.audit.query(limit=500)} == {("ann", "rest")}

    def test_what_others_write_is_audited_and_chained(self, desk: Face, other: Run) -> None:
        desk.within(ANN, "customers.create", {"email": "ann@example.org"})
        self.insert(other)
        looked(desk)

        entries = desk.db.audit.query()

        assert [(each.channel, each.operation, each.actor, each.tenant) for each in entries] == [
            ("polling", "create", None, "zeta"),
            ("rest", "create", "ann", "acme"),
        ]
        assert desk.db.audit.verify().entries == 2
        other("UPDATE dataflow_changes SET operation = 'update' WHERE sequence = 2")
        with pytest.raises(Exception, match="entry 2,"):
            desk.db.audit.verify()

    def test_many_are_found_by_one_look(self, desk: Face, other: Run) -> None:
        desk.within(ANN, "customers.bulk_create", {"data": [{"email": f"{n}"} for n in range(1_500)]})
        other("UPDATE customers SET balance = 2 WHERE id > 100")

        assert looked(desk) == 1_400
        assert looked(desk) == 0
        other("DELETE FROM customers")
        assert looked(desk) == 1_500

    def test_a_look_writes_no_more_than_it_has_found(self, desk: Face, other: Run) -> None:
        desk.within(ANN, "customers.bulk_create", {"data": [{"email": f"{n}"} for n in range(100)]})
        assert looked(desk) == 0
        other(self.only_seven)
        other("UPDATE customers SET balance = 2 WHERE id = 7")

        assert looked(desk) == 1
        other("UPDATE customers SET balance = 2 WHERE id = 8")
        with pytest.raises(KailashError):
            looked(desk)

    def test_what_goes_through_us_after_others_were_there_is_told_first(self, desk: Face, other: Run) -> None:
        """As the limits of the how-to say: the feed ends as the table is."""
        self.insert(other)
        zeta = Context(principal="zoe", tenant="zeta")
        desk.within(zeta, "customers.update", {"id": 1, "fields": {"balance": 5.0}})

        assert looked(desk) == 0
        assert told(desk.db) == [("update", "Customer", 1)]

    def test_secrets_are_nowhere_in_what_was_seen(self, url: str, other: Run) -> None:
        """Neither of the records that were there before, nor of what others and we write; what is sealed stays so."""
        fields: dict[str, Any] = {"ssn": Annotated[str, Encrypted()], "pin": Annotated[str, Secret()]}
        with DataFlow(url, encryption_key=KEY) as db:
            db.model(item(name=str, **fields))
            db.express_sync.create("Item", {"name": "old", "ssn": "078-05-1120", "pin": "1234-5678"})
        with DataFlow(url, encryption_key=KEY, change_detection_method="polling") as db:
            db.model(item(name=str, **fields))
            db.express_sync.create("Item", {"name": "ours", "ssn": "078-05-1120", "pin": "1234-5678"})
            other("UPDATE items SET name = 'theirs', pin = '1234-5678-9'")

            assert db.feed.look() == 2
            with db.connection() as connection:
                kept = str(connection.ask("SELECT * FROM dataflow_seen") + connection.ask("SELECT * FROM items"))
                seen = str(connection.ask("SELECT * FROM dataflow_seen"))
            assert kept.count("1234-5678") == 2  # in the table alone
            assert "078-05-1120" not in kept
            assert ("theirs" in seen, "1234" in seen, seen.count("***")) == (True, False, 4)
            assert [(each.after or {})["ssn"] for each in db.feed.read()] == ["***"] * 3

    def test_a_record_that_is_only_marked_as_deleted_is_there(self, url: str, other: Run) -> None:
        with opened(url, method="polling", __dataflow__={"soft_delete": True}) as db:
            db.express_sync.create("Item", {"name": "ours"})
            db.express_sync.delete("Item", 1)
            assert db.feed.look() == 0
            other("UPDATE items SET deleted_at = NULL")
            assert db.feed.look() == 1
            other("DELETE FROM items")
            assert db.feed.look() == 1

            assert [event for event, _, _ in told(db)] == ["create", "update", "update", "delete"]

    @pytest.mark.parametrize(
        ("kind", "ids"),
        [
            (str, ["a", "A", "", "ünlich: %s 'x'"]),
            (UUID, [UUID(int=number) for number in range(3)]),
            (int, [-(2**63), 2**63 - 1]),
        ],
    )
    def test_ids_of_any_kind_are_found_again(self, url: str, other: Run, kind: type, ids: list[Any]) -> None:
        with opened(url, method="polling", id=kind) as db:
            for each in ids:
                db.express_sync.create("Item", {"id": each, "name": "ours"})
            assert db.feed.look() == 0
            other("UPDATE items SET name = 'theirs'")
            assert db.feed.look() == len(ids)
            other("DELETE FROM items")

            assert (db.feed.look(), db.feed.look()) == (len(ids), 0)
            assert {each.id for each in db.feed.read() if each.event == "delete"} == {*ids}

    def test_what_was_there_before_is_not_told(self, url: str, other: Run) -> None:
        with opened(url, method=None) as db:
            db.express_sync.create("Item", {"name": "old"})
        with opened(url, method="polling") as db:
            assert db.feed.look() == 0
            other("UPDATE items SET name = 'changed'")
            assert db.feed.look() == 1
            assert [(each.before, each.after) for each in names(db.feed.read())] == [("old", "changed")]

    def test_a_restart_loses_nothing(self, url: str, other: Run) -> None:
        """Neither what others wrote meanwhile, nor what we wrote before and nobody looked at."""
        with opened(url, method="polling") as db:
            db.express_sync.create("Item", {"name": "ours"})
        other(INTO_ITEM % "theirs")
        with opened(url, method="polling") as db:
            assert db.feed.look() == 1
            assert [each.after for each in names(db.feed.read())] == ["ours", "theirs"]

    @pytest.mark.parametrize("audited", [False, True])
    def test_what_is_forgotten_is_not_told_again(self, url: str, *, audited: bool) -> None:
        with opened(url, method="polling", __dataflow__={"audit_log": audited}) as db:
            db.express_sync.create("Item", {"name": "ours"})

            forgotten = db.audit.purge(dt.datetime.max.replace(tzinfo=dt.UTC)) if audited else db.feed.purge(0)
            assert (forgotten, db.feed.look()) == (1, 0)

    def test_two_who_look_tell_once(self, url: str, other: Run) -> None:
        with opened(url, method="polling") as db, opened(url, method="polling") as second:
            second.express_sync.create("Item", {"name": "ours"})
            other(INTO_ITEM % "theirs")

            assert (db.feed.look(), second.feed.look()) == (1, 0)
            assert len(told(second)) == 2

    def test_who_comes_second_forgets_nothing_that_the_first_has_told(self, url: str, other: Run) -> None:
        """It has asked what it is to bring up to date, and waits for its turn; then that is done, and more told."""
        with opened(url, method="polling") as db, opened(url, method="polling") as first:
            db.express_sync.create("Item", {"name": "one"})
            assert db.feed.look() == 0
            db.express_sync.update("Item", 1, {"name": "two"})
            assert db.feed.last() == 2
            found: list[int] = []

            def late(effect: Effect) -> DataPlan[Any]:
                if isinstance(effect, Atomically) and not found:
                    other("UPDATE items SET name = 'three'")
                    found.extend([first.feed.look(), first.feed.look()])
                return ask(effect)

            teller = db.models["Item"].teller
            assert isinstance(teller, Teller)
            assert teller.ledger is not None
            Face(db, blocking=True).run(through(Sight(teller.ledger, db.url.dialect).catch_up(), late))

            assert (found, db.feed.look()) == ([1, 0], 0)
            assert [each.after for each in names(db.feed.read())] == ["one", "two", "three"]

    def test_many_who_look_at_the_same_time_tell_once(self, url: str, other: Run) -> None:
        with opened(url, method="polling") as db, opened(url, method="polling") as second:
            for number in range(5):
                other(INTO_ITEM % f"theirs {number}")
                together = Barrier(4)

                def look(one: DataFlow, together: Barrier = together) -> int:
                    together.wait()
                    return one.feed.look()

                with ThreadPoolExecutor(4) as pool:
                    assert sum(pool.map(look, [db, second] * 2)) == 1
            assert len(told(db)) == 5

    def test_processes_that_look_at_the_same_time_tell_once(self, url: str, other: Run) -> None:
        command = [sys.executable, "-c", LOOKER.format(path=sys.path, url=url)]
        with opened(url, method="polling") as db, ExitStack() as stack:
            lookers = [
                stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
                for _ in range(2)
            ]
            ways = [(each.stdin, each.stdout) for each in lookers]
            assert [out.readline() for _, out in ways if out is not None] == ["ready\n"] * 2
            for number in range(1, 6):
                other(INTO_ITEM % f"theirs {number}")
                for into, _ in ways:
                    assert into is not None
                    into.write("\n")
                    into.flush()
                found = [db.feed.look(), *[int(out.readline()) for _, out in ways if out is not None]]
                assert sum(found) == 1
            assert told(db) == [("create", "Item", number) for number in range(1, 6)]

    def test_looks_among_the_writes_of_all_keep_the_order(self, url: str, other: Run) -> None:
        with opened(url, method="polling") as db:
            for _ in range(3):
                db.express_sync.create("Item", {"name": "first"})

            def ours(number: int) -> None:
                db.express_sync.update("Item", number % 3 + 1, {"name": f"ours {number}"})

            def theirs(number: int) -> None:
                other(f"UPDATE items SET name = 'theirs {number}' WHERE id = {number % 3 + 1}")

            with ThreadPoolExecutor(4) as pool:
                for number in range(40):
                    written = [pool.submit(ours, number), pool.submit(theirs, number), pool.submit(ours, number + 1)]
                    db.feed.look()
                    for each in written:
                        each.result()
            db.feed.look()
            check(db)

    def test_a_changed_model_is_no_change_of_records(self, url: str, other: Run) -> None:
        with opened(url, method="polling") as db:
            db.express_sync.create("Item", {"name": "one"})
            db.express_sync.create("Item", {"name": "two"})
        other("UPDATE items SET name = 'three' WHERE id = 2")
        with opened(url, method="polling", size=(int, 0)) as db:
            assert (db.feed.look(), db.feed.look()) == (1, 0)
            assert [(each.before, each.after) for each in names(db.feed.read())][2:] == [("two", "three")]

    def test_who_listens_hears_what_others_write(self, url: str, other: Run) -> None:
        heard: queue.Queue[Event] = queue.Queue()
        with opened(url, method="polling") as db:
            db.on_model_change("Item", heard.put)
            other(INTO_ITEM % "theirs")

            assert [each.after for each in names([heard.get(timeout=20)])] == ["theirs"]

    def test_nobody_looks_unless_that_is_asked_for(self, url: str) -> None:
        with opened(url, method="outbox") as db, pytest.raises(ConfigurationError, match="nobody looks"):
            db.feed.look()


def replay(face: Face, other: Run, steps: list[Step]) -> None:
    """Take *steps* and look, and assert that the feed, read now and then and replayed, gives the table.

    A value of 0 deletes. What was read may be forgotten.
    """
    db, express = face.db, face.db.express_sync
    looked(face)
    since, replayed = db.feed.last(), names_of(db)

    def read() -> None:
        nonlocal since
        events, stood = db.feed.read(since), (since, dict(replayed))
        check_befores(db, *stood)
        for each in events:
            replayed.pop(each.id, None)
            if each.after is not None:
                replayed[each.id] = each.after["name"]
            since = each.sequence

    for what, number, value in steps:
        there = express.find_one("Item", {"id": number}) is not None
        if what == "look":
            looked(face)
        elif what in ("read", "forget"):
            read()
            if what == "forget":
                db.feed.purge(0)
        elif what == "ours" and there:
            express.update("Item", number, {"name": str(value)}) if value else express.delete("Item", number)
        elif what == "ours" and value:
            express.create("Item", {"id": number, "name": str(value)})
        elif value and not there:
            other((INTO_ITEM % value).replace("(name", "(id, name").replace("VALUES (", f"VALUES ({number}, "))
        elif what == "theirs":
            set_, delete = f"UPDATE items SET name = '{value}'", "DELETE FROM items"
            other(f"{set_ if value else delete} WHERE id = {number}")
    looked(face)
    read()

    assert replayed == names_of(db)
    assert looked(face) == 0


def check(db: DataFlow) -> None:
    """Assert that the feed, replayed, gives the table."""
    replayed: dict[Any, Any] = {}
    for each in db.feed.read(limit=1_000_000):
        replayed.pop(each.id, None)
        if each.after is not None:
            replayed[each.id] = each.after["name"]
    assert replayed == names_of(db)
    check_befores(db)


def check_befores(db: DataFlow, since: int = 0, replayed: dict[str, Any] | None = None) -> None:
    """Assert that each change that a look found begins where the one before it ended, and is one."""
    stands = {} if replayed is None else {str(record): name for record, name in replayed.items()}
    with db.connection() as connection:
        sql = "SELECT channel, record, before, after FROM dataflow_changes WHERE sequence > ? ORDER BY sequence"
        for channel, record, before, after in connection.ask(sql, (since,)):
            was, now = (None if each is None else plain(each)["name"] for each in (before, after))
            if channel == "polling":
                assert (was, before == after) == (stands.get(record), False)
            stands[record] = now


def names_of(db: DataFlow) -> dict[Any, Any]:
    """The names of the records that are in the table."""
    return {each["id"]: each["name"] for each in db.express_sync.list("Item")}


class Name:
    """The name of a record before and after a change."""

    def __init__(self, event: Event) -> None:
        self.before = None if event.before is None else event.before["name"]
        self.after = None if event.after is None else event.after["name"]


def names(events: list[Event]) -> list[Name]:
    return [Name(each) for each in events]
