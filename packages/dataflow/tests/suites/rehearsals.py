"""What a rehearsal does with a copy, on any database: every operation, every policy, and nothing left."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Annotated, Any, Literal

import annotated_types as at
import msgspec
import pytest

from dataflow import Column, DataFlow, Encrypted, ForeignKey
from dataflow.rehearsal import Rehearsal, rehearse
from dataflow.schema import staging
from dataflow.schema.inspect import inspect

ELEVEN = {
    "create", "read", "update", "delete", "list", "count", "upsert",
    "bulk_create", "bulk_update", "bulk_delete", "bulk_upsert",
}  # fmt: skip
INTERRUPTED = """
import glob, os, signal, sys, tempfile
sys.path[:0] = {path!r}
from dataflow import DataFlow
from dataflow.cli import app
from dataflow.transactions.joined import JOINED

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
db = DataFlow({url!r})

def number() -> int:
    if JOINED.get() is not None:  # in a transaction, as what is tried on the copy is
        places = {places}
        assert places, "there is no copy"
        {deed}
    return 1

@db.model
class Item:
    name: str
    number: int = number

sys.exit(app.run(["rehearse", "-o", "json"], db))
"""
SEEN = {  # whether there is a copy, asked from the middle of a rehearsal
    "sqlite": "glob.glob(tempfile.gettempdir() + f'/dataflow-rehearsal-{os.getpid()}-*')",
    "postgresql": "db.connection().ask('SELECT nspname FROM pg_namespace WHERE nspname LIKE $$dataflow_rehearsal_%$$')",
}
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class Mood(enum.Enum):
    SAD = "sad"
    GLAD = "glad"


class Rehearsals:
    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        with DataFlow(url, encryption_key=KEY) as db:
            yield db

    def rehearsed(self, db: DataFlow) -> Rehearsal:
        before = self.tables(db)
        done = rehearse(db)
        assert (self.tables(db), self.places(db, os.getpid())) == (before, [])
        return done

    def tables(self, db: DataFlow) -> Any:
        with db.connection() as connection:
            return inspect(connection)

    def places(self, db: DataFlow, process: int) -> Any:
        """What a copy that *process* left behind would be seen by."""
        if db.url.dialect == "sqlite":
            return sorted(Path(tempfile.gettempdir()).glob(f"dataflow-rehearsal-{process}-*"))
        with db.connection() as connection:
            return connection.ask("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, ?)", (staging.PREFIX,))

    def fares(self, db: DataFlow, model: str) -> set[str]:
        """Return the operations that were tried; each did what it should."""
        done = self.rehearsed(db)
        (used,) = [each for each in done.used if each.model == model]
        assert (done.error, used.error, used.untried) == ("", "", "")
        assert done.ok
        assert all(each.seconds > 0 for each in used.operations)
        return {each.operation for each in used.operations}

    def test_all_eleven_operations_of_a_model_are_tried(self, db: DataFlow) -> None:
        @db.model
        class Item:
            name: str

        assert self.fares(db, "Item") == ELEVEN
        db.express_sync.create("Item", {"name": "a"})
        assert self.fares(db, "Item") == ELEVEN
        assert [each["name"] for each in db.express_sync.list("Item")] == ["a"]

    def test_a_record_is_made_of_what_the_annotations_ask_for(self, db: DataFlow) -> None:
        @db.model
        class Item:
            id: str
            code: Annotated[str, at.MaxLen(6)]
            sku: Annotated[str, at.MinLen(30)]
            level: Annotated[int, at.Ge(5), at.Le(9)]
            low: Annotated[int, at.Lt(-3)]
            even: Annotated[int, msgspec.Meta(multiple_of=4, gt=1, lt=6)]
            share: Annotated[float, at.Gt(0), at.Lt(1)]
            mood: Mood
            size: Literal["s", "m"]
            tags: list[str]
            facts: dict[str, int]
            picture: bytes
            title: Annotated[str, Column("Full Name")]
            note: str | None
            __indexes__ = [{"fields": ["code"], "unique": True}, {"fields": ["sku", "level"], "unique": True}]

        assert self.fares(db, "Item") == ELEVEN

    def test_a_child_gets_a_parent_that_is_there_or_is_made(self, db: DataFlow) -> None:
        @db.model
        class Customer:
            email: str
            __indexes__ = [{"fields": ["email"], "unique": True}]

        @db.model
        class Order:
            customer_id: Annotated[int, ForeignKey("Customer.id")]

        @db.model
        class Payment:
            order_id: Annotated[int, ForeignKey("Order.id")]
            __indexes__ = [{"fields": ["order_id"], "unique": True}]

        assert self.fares(db, "Payment") == ELEVEN
        db.express_sync.create("Customer", {"email": "a@example.org"})
        assert self.fares(db, "Order") == ELEVEN

    def test_every_policy_has_its_say(self, db: DataFlow) -> None:
        @db.model
        class Member:
            name: str
            code: Annotated[str, Encrypted()]
            __dataflow__ = {"multi_tenant": True, "soft_delete": True, "versioned": True}
            __indexes__ = [{"fields": ["name"], "unique": True}]

        db.prepare()
        assert self.rehearsed(db).used[0].tenant == "rehearsal"
        with db.tenant("acme"):
            db.express_sync.create("Member", {"name": "Ann", "code": "secret"})

        done = self.rehearsed(db)

        assert self.fares(db, "Member") == ELEVEN
        assert (done.used[0].tenant, done.used[0].read) == ("acme", 1)

    def test_what_no_record_can_be_made_for_is_told_and_is_no_fault(self, db: DataFlow) -> None:
        @db.model
        class Item:
            code: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}-[0-9]{2}$")]

        done = self.rehearsed(db)
        (used,) = done.used

        assert done.ok
        assert used.untried == "no value of code is known that its annotation accepts"
        assert {each.operation for each in used.operations} == {"list", "count"}
        db.express_sync.create("Item", {"code": "ABC-12"})
        assert self.fares(db, "Item") == ELEVEN

    def test_what_the_database_refuses_is_told_by_its_operation(self, db: DataFlow) -> None:
        @db.model
        class Item:
            name: str

        db.prepare()
        with db.connection() as connection:
            connection.ask("CREATE UNIQUE INDEX first ON items ((1))")  # one record, and no other
        db.express_sync.create("Item", {"name": "a"})

        done = self.rehearsed(db)

        assert not done.ok
        failed = {each.operation for each in done.used[0].operations if each.error}
        assert failed == {"create", "bulk_create"}

    @pytest.mark.parametrize(
        ("deed", "code", "said"),
        [("os.kill(os.getpid(), signal.SIGINT)", 130, ""), ("raise ZeroDivisionError", 1, "ZeroDivisionError")],
    )
    def test_the_copy_goes_when_a_rehearsal_is_cut_short(
        self, deed: str, code: int, said: str, url: str, db: DataFlow
    ) -> None:
        program = INTERRUPTED.format(path=sys.path, url=url, deed=deed, places=SEEN[db.url.dialect])

        run = subprocess.Popen([sys.executable, "-c", program], stdout=PIPE, stderr=PIPE, text=True)
        shown, told = run.communicate()

        assert (run.returncode, said in told) == (code, True), shown + told
        assert self.places(db, run.pid) == []
