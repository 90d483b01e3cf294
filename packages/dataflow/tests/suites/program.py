"""The schema's commands, on any database: what they show, what they do, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import annotated_types as at
import pytest

from dataflow import DataFlow
from dataflow.cli import app
from dataflow.errors import MigrationRefusedError
from dataflow.schema.inspect import inspect
from suites.evolution import item
from suites.faces import Open


class Program:
    @pytest.fixture
    def open(self, opened: Open) -> Open:
        return partial(opened, application="shop")

    @pytest.fixture
    def run(self, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
        """Run a command line with JSON; return what it answers, or its exit code where that is not 0."""

        def ask(db: DataFlow, *words: str) -> Any:
            capsys.readouterr()
            code = app.run([*words, "--output", "json"], db)
            said = capsys.readouterr()
            return json.loads(said.out) if code == 0 else (code, json.loads(said.err.splitlines()[-1])["code"])

        return ask

    @pytest.fixture
    def shop(self, open: Any) -> DataFlow:
        """A database with records, whose model then grows."""
        first = open(item(name=(str | None, None)))
        first.express_sync.create("Item", {"name": "a"})
        grown: DataFlow = open(item(name=str, level=(int, 1)), auto_migrate=False)
        return grown

    def test_a_plan_is_shown_and_nothing_is_changed(self, shop: DataFlow, run: Any) -> None:
        told = run(shop, "plan", "--sql")

        assert [(step["step"], step["verdict"]) for step in told["steps"]] == [
            ("add column items.level", "automatic"),
            ("set nullable items.name", "consent"),
        ]
        assert told["steps"][1]["rows"] == 1
        assert not told["automatic"]
        assert "items" in told["blocks"][0]["statements"][0]
        assert run(shop, "plan") == {name: value for name, value in told.items() if name != "blocks"}

    def test_a_plan_is_shown_as_a_table(self, shop: DataFlow, capsys: pytest.CaptureFixture[str]) -> None:
        assert app.run(["plan", "--output", "table", "--sql"], shop) == 0

        said = capsys.readouterr()
        assert said.out.splitlines()[0].split()[:3] == ["step", "verdict", "score"]
        assert "ALTER TABLE" in said.out or "CREATE TABLE" in said.out
        assert f"dataflow migrate --accept {shop.schema.plan().name}" in said.err

    def test_migrate_refuses_shows_and_does(self, shop: DataFlow, run: Any) -> None:
        assert run(shop, "migrate") == (7, "migration_refused")
        plan = run(shop, "migrate", "--dry-run")["plan"]
        assert len(run(shop, "history")) == 1

        done = run(shop, "migrate", "--accept", plan)

        assert done["changes"] == ["add column items.level", "set nullable items.name"]
        assert run(shop, "migrate")["changes"] == []
        assert run(shop, "status")["in_order"] is True

    def test_status_tells_what_is_pending(self, shop: DataFlow, run: Any) -> None:
        told = run(shop, "status")

        assert (told["status"], told["in_order"], told["pending"], told["automatic"]) == ("healthy", False, 2, False)

    def test_history_and_rollback(self, shop: DataFlow, run: Any) -> None:
        shop.schema.migrate(accept=shop.schema.plan().name)

        assert run(shop, "rollback") == (6, "unconfirmed")
        assert len(run(shop, "rollback", "--dry-run")["steps"]) == 2
        assert run(shop, "rollback", "--yes")["undone"] == [2]
        assert [(each["id"], each["kind"]) for each in run(shop, "history")] == [
            (3, "rollback"),
            (2, "migrate"),
            (1, "migrate"),
        ]
        assert run(shop, "rollback", "--to", "9", "--yes") == (5, "rollback")

    def test_registry_tells_applications_and_versions(self, open: Any, run: Any) -> None:
        open(item(name=str)).create_tables()
        other = open(item(name=str, note=(str | None, None)), application="billing")
        other.create_tables()

        assert [each["application"] for each in run(other, "registry")] == ["shop", "billing"]
        versions = run(other, "registry", "--model", "Item")
        assert [each["version"] for each in versions] == [1, 2]
        assert versions[1]["changes"] == ["with note"]

    def test_two_applications_that_disagree_are_told_at_start(
        self, open: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        open(item(name=str)).create_tables()
        caplog.clear()
        open(item(name=str, note=(str | None, None)), application="billing").create_tables()
        assert "application 'shop' knows Item without note" in caplog.text

        for _ in range(2):  # when the schema has changed behind it, and when nothing has
            caplog.clear()
            open(item(name=str)).create_tables()
            assert "application 'billing' knows Item with note" in caplog.text

    def test_a_rehearsal_uses_a_copy_and_removes_it(self, shop: DataFlow, run: Any) -> None:
        with shop.connection() as connection:
            before = inspect(connection)

        told = run(shop, "rehearse")

        assert told["ok"] is True
        assert told["copied"] == 1
        (used,) = told["models"]
        assert (used["model"], used["read"], used["untried"]) == ("Item", 1, "")
        assert "set nullable items.name" in ", ".join(step["step"] for step in told["steps"])
        with shop.connection() as connection:
            assert inspect(connection) == before
        assert len(shop.schema.history()) == 1

    def test_a_rehearsal_shows_time_and_locks_to_a_person(
        self, shop: DataFlow, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert app.run(["rehearse", "-o", "table"], shop) == 0

        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert ["step", "lock", "seconds"] in lines
        assert ["model", "tenant", "operation", "seconds", "said"] in lines
        assert len([words for words in lines if words[:1] == ["Item"] and words[-1] == "fine"]) >= 11

    def test_a_rehearsal_tells_what_would_fail(self, open: Any, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
        open(item(level=int)).express_sync.create("Item", {"level": 0})
        narrow = open(item(level=Annotated[int, at.Ge(1)]), auto_migrate=False)

        assert app.run(["rehearse", "-o", "json"], narrow) == 1
        assert "one that is not allowed" in json.loads(capsys.readouterr().out)["error"]

    def test_options_that_forbid_change_forbid_it_here_as_well(self, open: Any, run: Any) -> None:
        db = open(item(name=str), migration_enabled=False)

        assert run(db, "migrate") == (2, "configuration")
        assert run(db, "plan")["steps"][0]["step"] == "create table items"
        db.create_tables()
        with db.connection() as connection:
            assert inspect(connection).tables == {}

    def test_without_auto_migrate_nothing_is_made(self, open: Any) -> None:
        db = open(item(name=str), auto_migrate=False)
        db.create_tables()

        with db.connection() as connection:
            assert inspect(connection).tables == {}
        assert db.schema.migrate().changes

    def test_a_plan_may_be_logged_and_not_applied(self, open: Any, caplog: pytest.LogCaptureFixture) -> None:
        db = open(item(name=str), auto_migrate="plan")
        db.create_tables()

        assert "pending: create table items (automatic" in caplog.text
        with db.connection() as connection:
            assert inspect(connection).tables == {}

    def test_a_database_under_alembic_is_not_fought_over(
        self, open: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        db = open(item(name=str))
        with db.connection() as connection:
            connection.ask("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        with pytest.raises(MigrationRefusedError, match="under Alembic"):
            db.create_tables()
        monkeypatch.chdir(tmp_path)
        assert run(db, "migrate", "--emit", "alembic") == (2, "configuration")
        (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
        (tmp_path / "migrations" / "versions").mkdir(parents=True)
        (tmp_path / "migrations" / "versions" / "a.py").write_text("revision: str = 'abc'\ndown_revision = None\n")

        path = Path(run(db, "migrate", "--emit", "alembic")["revision"])

        text = path.read_text()
        assert "down_revision = 'abc'" in text
        assert "CREATE TABLE" in text.partition("def downgrade")[0]
        assert "DROP TABLE" in text.partition("def downgrade")[2]
        compile(text, str(path), "exec")
        for statement in [line for line in text.splitlines() if "op.execute" in line and "CREATE" in line]:
            with db.connection() as connection:  # as Alembic would
                connection.ask(eval(statement.strip().removeprefix("op.execute")))
        db.create_tables()  # everything is there: no table of ours is added
        with db.connection() as connection:
            assert sorted(inspect(connection).tables) == ["alembic_version", "items"]
