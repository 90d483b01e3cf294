"""``dataflow audit``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dataflow import DataFlow
from dataflow.cli import app


@pytest.fixture
def db(sqlite_url: str) -> Iterator[DataFlow]:
    with DataFlow(sqlite_url, audit_logging=True) as db:

        @db.model
        class Product:
            name: str

        db.express_sync.create("Product", {"name": "Lamp"})
        db.express_sync.update("Product", 1, {"name": "Torch"})
        yield db


def test_a_log_that_holds_is_told_with_its_last_link(db: DataFlow, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["audit", "verify", "-o", "json"], db) == 0

    told = json.loads(capsys.readouterr().out)
    assert told == {"verified": True, "entries": 2, "link": db.audit.verify().link}


def test_a_log_that_was_changed_ends_with_its_own_exit_code(db: DataFlow, capsys: pytest.CaptureFixture[str]) -> None:
    db.audit.verify()
    with db._sync.ddl() as connection:
        connection.ask("UPDATE dataflow_changes SET actor = 'nobody' WHERE sequence = 1")

    assert app.run(["audit", "verify", "-o", "json"], db) == 5
    assert json.loads(capsys.readouterr().err)["code"] == "audit_broken"


def test_entries_are_listed_the_latest_first(db: DataFlow, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["audit", "list", "--model", "Product", "--id", "1", "-o", "json"], db) == 0

    told = json.loads(capsys.readouterr().out)
    assert [(each["event"], each["after"]["name"]) for each in told] == [("update", "Torch"), ("create", "Lamp")]
