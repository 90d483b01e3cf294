"""`change_detection_method="database_triggers"`: what other programs write is told, and what we write is told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest

from dataflow import DataFlow, ForeignKey
from dataflow.errors import DuplicateError
from dataflow.model.spec import Secret
from kailash.context import Context
from suites.evolution import item
from suites.faces import Face, Facing

Run = Callable[[str], None]  # runs SQL on a connection of another program, and commits
ANN = Context(principal="ann", tenant="acme", channel="rest", request_id="r-1")
NOW = "'2026-01-01T00:00:00.000000+00:00'"
INTO_ITEM = f"INSERT INTO items (name, created_at, updated_at) VALUES ('%s', {NOW}, {NOW})"


def told(db: DataFlow) -> list[tuple[str, str, Any]]:
    """What the feed says: (event, model, id)."""
    return [(each.event, each.model, each.id) for each in db.feed.read()]


def opened(url: str, *, method: str | None = "database_triggers", **fields: Any) -> DataFlow:
    """Return a database of the model Item, with what that makes there."""
    db = DataFlow(url, change_detection_method=method)
    db.model(item(**{name: said for name, said in {"name": str, **fields}.items() if said is not None}))
    db.prepare()
    return db


class ByOthers:
    """Subclasses give `url` and `other`."""

    @pytest.fixture
    def desk(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url, change_detection_method="database_triggers", multi_tenant=True)

        @db.model
        class Customer:
            email: str
            balance: float = 0.0
            token: Annotated[str | None, Secret()] = None

            __indexes__ = [{"fields": ["email"], "unique": True}]
            __dataflow__ = {"audit_log": True, "versioned": True}

        @db.model
        class Order:
            customer_id: Annotated[int, ForeignKey("Customer.id", on_delete="cascade")]
            status: str = "pending"

        face = faced(db)
        db.prepare()
        return face

    @staticmethod
    def insert(other: Run, email: str = "eve@example.org") -> None:
        other(
            "INSERT INTO customers (email, balance, token, tenant_id, version, created_at, updated_at)"
            f" VALUES ('{email}', 0.1, 'hidden', 'zeta', 1, {NOW}, {NOW})"
        )

    def test_sql_of_other_programs_is_told(self, desk: Face, other: Run) -> None:
        self.insert(other)
        other("UPDATE customers SET balance = 0.3 WHERE email = 'eve@example.org'")
        other("UPDATE customers SET balance = 0.3 WHERE email = 'eve@example.org'")  # changes nothing
        other("DELETE FROM customers")

        changes = desk.db.feed.read()

        assert [each.event for each in changes] == ["create", "update", "delete"]
        assert [(each.tenant, each.id) for each in changes] == [("zeta", 1)] * 3
        assert [(each.before or {}).get("balance") for each in changes] == [None, 0.1, 0.3]
        assert [(each.after or {}).get("token") for each in changes] == ["***", "***", None]

    def test_what_others_write_is_audited_and_chained(self, desk: Face, other: Run) -> None:
        desk.within(ANN, "customers.create", {"email": "ann@example.org"})
        self.insert(other)

        entries = desk.db.audit.query()

        assert [(each.channel, each.operation, each.tenant) for each in entries] == [
            ("sql", "insert", "zeta"),
            ("rest", "create", "acme"),
        ]
        assert desk.db.audit.verify().entries == 2
        other("UPDATE dataflow_changes SET operation = 'create' WHERE sequence = 2")
        with pytest.raises(Exception, match="entry 2,"):
            desk.db.audit.verify()

    def test_what_others_write_makes_a_version(self, desk: Face, other: Run) -> None:
        desk.within(ANN, "customers.create", {"email": "ann@example.org"})
        other("UPDATE customers SET balance = 7")

        versions = desk.within(ANN, "customers.history", {"id": 1})["versions"]

        assert sorted((each["channel"], each["record"]["balance"]) for each in versions) == [
            ("rest", 0.0),
            ("sql", 7.0),
        ]

    def test_what_we_write_is_told_once_with_who_wrote_it(self, desk: Face) -> None:
        """Alone, in bulk, as a large load, in a transaction that is undone in part, by a cascade."""

        def ask(what: str, **inputs: Any) -> Any:
            return desk.within(ANN, what, inputs)

        ask("customers.create", email="1@example.org")
        ask("customers.bulk_create", data=[{"email": f"{n}@example.org"} for n in range(2, 5)])
        ask("customers.bulk_create", data=[{"email": f"{n}@example.org"} for n in range(5, 205)])
        with pytest.raises(DuplicateError):
            ask("customers.bulk_create", data=[{"email": f"{n}@example.org"} for n in range(204, 400)])
        ask("orders.create", customer_id=1)
        ask("customers.update", id=1, fields={"balance": 1.5})
        ask("customers.delete", id=1)

        creates = [("create", "Customer", n) for n in range(1, 205)]
        rest = told(desk.db)[204:]
        assert told(desk.db)[:204] == creates
        assert rest[:2] == [("create", "Order", 1), ("update", "Customer", 1)]
        assert sorted(rest[2:]) == [("delete", "Customer", 1), ("delete", "Order", 1)]
        assert {(each.actor, each.channel) for each in desk.db.audit.query(limit=500)} == {("ann", "rest")}

    def test_others_and_we_in_turns(self, desk: Face, other: Run) -> None:
        """Also after a failure, which takes the triggers of a connection with it."""
        for turn in range(3):
            desk.within(ANN, "customers.create", {"email": f"{turn}@example.org"})
            self.insert(other, f"other{turn}@example.org")
            with pytest.raises(DuplicateError):
                desk.within(ANN, "customers.create", {"email": f"{turn}@example.org"})

        emails = [each.after["email"] for each in desk.db.feed.read() if each.after]
        assert [email.partition("@")[0] for email in emails] == ["0", "other0", "1", "other1", "2", "other2"]

    def test_what_others_undo_is_not_told(self, desk: Face, other: Run) -> None:
        with pytest.raises(Exception, match=r"(?i)unique"):
            other(
                "INSERT INTO customers (email, balance, tenant_id, version, created_at, updated_at) VALUES"
                f" ('a', 0, 'zeta', 1, {NOW}, {NOW}), ('a', 0, 'zeta', 1, {NOW}, {NOW})"
            )

        assert told(desk.db) == []

    def test_a_program_that_asks_for_nothing_is_told_of_as_others_are(self, url: str) -> None:
        """It may use this library, and even tell of another model by the same connection."""
        with opened(url) as db, DataFlow(url) as plain:
            plain.model(item(name=str))

            @plain.model
            class Side:
                __dataflow__ = {"feed": True}

                word: str

            plain.express_sync.create("Side", {"word": "one"})
            plain.express_sync.create("Item", {"name": "plain"})
            plain.express_sync.create("Side", {"word": "two"})
            db.express_sync.create("Item", {"name": "told"})

            names = [each.after["name"] for each in db.feed.read(model="Item") if each.after]
        assert names == ["plain", "told"]

    def test_a_changed_model_is_told_as_it_is_now(self, url: str, other: Run) -> None:
        """A column that comes, one that may be null from now on, one with another name."""
        opened(url).close()
        with opened(url, size=(int, 0)):
            other(INTO_ITEM.replace("(name,", "(size, name,").replace("('%s'", "(1, 'one'"))
        with opened(url, size=(int | None, None)) as db:
            db.express_sync.create("Item", {"name": "two"})
            other(INTO_ITEM % "three")
        renamed: dict[str, Any] = {
            "name": None,
            "title": str,
            "size": (int | None, None),
            "__renamed__": {"name": "title"},
        }
        with opened(url, **renamed) as db:
            db.express_sync.create("Item", {"title": "four"})
            other((INTO_ITEM % "five").replace("name", "title"))

            seen = [(each.after.get("name") or each.after["title"]) for each in db.feed.read() if each.after]
            assert list(db.feed.read()[-1].after or ()) == list(db.models["Item"].spec.by_name)
        assert seen == ["one", "two", "three", "four", "five"]

    def test_a_table_with_another_name_and_its_history_are_told_of(self, url: str, other: Run) -> None:
        kept = {"versioned": True}
        with opened(url, __tablename__="things", __dataflow__=kept) as db:
            db.express_sync.create("Item", {"name": "one"})
        with opened(url, __renamed__={"things": "items"}, __dataflow__=kept) as db:
            db.express_sync.update("Item", 1, {"name": "two"})
            other("UPDATE items SET name = 'three'")

            assert [each.after["name"] for each in db.feed.read() if each.after] == ["one", "two", "three"]
            assert [each["record"]["name"] for each in db.express_sync.history("Item", 1)] == ["three", "two", "one"]

    def test_after_a_migration_was_undone_others_are_told_of_as_before(self, url: str, other: Run) -> None:
        opened(url).close()
        with opened(url, extra=(str | None, None)) as db:
            db.schema.rollback(accept=db.schema.rollback(dry_run=True).plan.name)
        with opened(url) as db:
            other(INTO_ITEM % "later")
            assert told(db) == [("create", "Item", 1)]

    def test_the_triggers_stay_when_another_program_migrates(self, url: str, other: Run) -> None:
        """One that tells of what it writes itself alone, and one that tells of nothing."""
        opened(url).close()
        for number, method in enumerate(["outbox", None]):
            added = {f"extra{n}": (str, "") for n in range(number + 1)}
            with opened(url, method=method, **added):
                other(INTO_ITEM % "later")
        with opened(url, method="outbox") as db:
            assert [each.event for each in db.feed.read()] == ["create", "create"]
