"""What a checkup says of a database, on any kind of it."""

from __future__ import annotations

import json

import pytest

from dataflow import DataFlow
from dataflow.cli import app
from kailash.checkup import Examined, State

Captured = pytest.CaptureFixture[str]


def _shop(url: str, **options: object) -> DataFlow:
    db = DataFlow(url, **options)

    @db.model
    class Product:
        name: str

    return db


def _states(db: DataFlow) -> dict[str, tuple[State, str]]:
    with db:
        return {check.name: (check.state, check.said) for check in db.checkup()}


class Checkups:
    @pytest.fixture
    def made(self, url: str) -> str:
        """The URL of a database that is there, and has one table of ours."""
        with DataFlow(url) as db:

            @db.model
            class Category:
                name: str

            db.prepare()
        return url

    def test_a_database_is_something_that_can_be_examined(self, url: str) -> None:
        with DataFlow(url) as db:
            assert isinstance(db, Examined)

    def test_what_is_due_is_said_and_not_done(self, made: str) -> None:
        first, again = _states(_shop(made)), _states(_shop(made))

        assert first["database"][0] is State.OK
        assert first["schema"][0] is State.NOTE
        assert "the first operation makes them" in first["schema"][1]
        assert again["schema"] == first["schema"]

    def test_a_schema_that_is_what_the_models_say_is_in_order(self, made: str) -> None:
        db = _shop(made)
        db.prepare()

        assert _states(db)["schema"][0] is State.OK

    def test_a_schema_that_nobody_makes_is_wrong(self, made: str) -> None:
        state, said = _states(_shop(made, auto_migrate=False))["schema"]

        assert state is State.FAILED
        assert "nobody makes them by itself" in said

    def test_tables_of_somebody_else_are_compared(self, made: str) -> None:
        state, said = _states(_shop(made, existing_schema_mode=True))["schema"]

        assert state is State.FAILED
        assert "products" in said

    def test_without_models_there_is_no_schema_to_compare(self, made: str) -> None:
        assert _states(DataFlow(made))["schema"] == (State.NOTE, "no models are declared")

    def test_the_doctor_tells_all_of_it(self, made: str, capsys: Captured) -> None:
        with _shop(made, pool_size=3) as db:
            assert app.run(["doctor", "--output", "json"], db) == 0
            told = json.loads(capsys.readouterr().out)

            assert told["healthy"] is True
            assert {"python", "kailash-core", "dataflow", "together", "database", "schema"} <= {
                check["check"] for check in told["checks"]
            }
            assert told["configuration"]["pool_size"] == 3
            assert app.run(["doctor", "--output", "table"], db) == 0
            assert "together" in capsys.readouterr().out

    def test_the_doctor_ends_with_1_when_something_is_wrong(self, made: str, capsys: Captured) -> None:
        with _shop(made, migration_enabled=False) as db:
            assert app.run(["doctor", "--output", "json"], db) == 1
        (schema,) = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["check"] == "schema"]

        assert schema["state"] == "failed"
        assert schema["hint"] == "dataflow migrate"
