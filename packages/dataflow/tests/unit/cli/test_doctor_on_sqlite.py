"""A checkup on SQLite, where a database may not be there yet; and what the doctor says without an application."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataflow import DataFlow
from dataflow.cli import app
from kailash.checkup import State
from suites import checkups

Captured = pytest.CaptureFixture[str]


class TestCheckups(checkups.Checkups):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


def test_looking_makes_no_file(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/shop.db") as db:
        database, schema = db.checkup()

    assert database.state is State.NOTE
    assert "not there yet" in database.said
    assert schema.state is State.NOTE
    assert [*tmp_path.iterdir()] == []


def test_a_file_in_a_folder_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/absent/shop.db") as db:
        database, _ = db.checkup()

    assert database.state is State.FAILED
    assert "its folder is not there" in database.said


def test_a_file_that_is_no_database_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"not a database, and longer than a header of one is: " * 10)
    with DataFlow(f"sqlite:///{tmp_path}/shop.db") as db:
        found = db.checkup()

    assert [check.state for check in found if check.state is State.FAILED]


def test_a_server_that_is_not_there_is_wrong_and_no_password_is_shown() -> None:
    with DataFlow("postgresql://ann:s3cret@127.0.0.1:1/shop") as db:
        database, schema = db.checkup()
        shown = json.dumps([*map(str, (database, schema)), dict(db.configuration())])

    assert database.state is State.FAILED
    assert schema.said == "not looked at"
    assert "s3cret" not in shown


def test_without_an_application_it_says_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("DATAFLOW_APP", raising=False)

    assert app.run(["doctor", "--output", "json"]) == 0
    told = {check["check"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert told["application"]["state"] == "note"
    assert told["together"]["state"] == "ok"


def test_an_application_that_cannot_be_used_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)

    assert app.run(["doctor", "--app", "absent_program:db", "--output", "json"]) == 1
    assert "absent_program" in capsys.readouterr().out
