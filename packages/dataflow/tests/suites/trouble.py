"""What a schema may run into, by its name, on any database: one typed error that says what to do, and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import annotated_types as at
import pytest

from dataflow import DataFlow
from dataflow.errors import (
    MigrationFailedError,
    MigrationLockedError,
    MigrationRefusedError,
    ModelError,
)
from dataflow.schema.inspect import inspect
from kailash.errors import KailashError
from suites.evolution import item
from suites.faces import Open

LONG = "x" * 64  # bytes: one more than the databases take


class Trouble:
    OCCUPY = ""  # what holds the table in a transaction of its own
    STRANGE = ""  # the type of a column that no field has
    VALUE = ""  # of it

    @pytest.fixture
    def stands(self, opened: Open) -> Iterator[None]:
        """Make a table with records; whatever is tried, it is the same afterwards."""
        db = opened(item(level=int))
        db.express_sync.bulk_create("Item", [{"level": 0}, {"level": 7}])
        before = self.everything(db)
        yield
        assert self.everything(db) == before

    def everything(self, db: DataFlow) -> Any:
        with db.connection() as connection:
            done = connection.ask("SELECT id, changes FROM dataflow_migrations ORDER BY id")
            return inspect(connection), connection.ask("SELECT * FROM items ORDER BY id"), done

    def said(self, db: DataFlow, kind: type[KailashError], accept: str = "") -> str:
        with pytest.raises(kind) as caught:
            db.schema.migrate(accept)
        assert caught.value.hint
        return str(caught.value)

    def test_lock_held(self, stands: None, opened: Open) -> None:
        db = opened(item(level=int, note=(str | None, None)), migration_lock_timeout=0.2)
        with opened().connection() as other:
            for statement in self.OCCUPY.split(";"):
                other.ask(statement)

            assert "0.2 seconds" in self.said(db, MigrationLockedError)
            other.ask("ROLLBACK")

    def test_a_table_that_is_a_view(self, opened: Open) -> None:
        db = opened(item(level=int))
        with db.connection() as connection:
            connection.ask("CREATE VIEW items AS SELECT 1 AS id")

        assert "items: is a view, and the model needs a table" in self.said(db, MigrationRefusedError)

    def test_a_type_we_do_not_know(self, opened: Open) -> None:
        db = opened(item(level=int))
        with db.connection() as connection:
            connection.ask(
                f"CREATE TABLE items (id BIGINT PRIMARY KEY, level {self.STRANGE}, created_at TEXT, updated_at TEXT)"
            )
            connection.ask(f"INSERT INTO items (id, level) VALUES (1, {self.VALUE})")

        assert f"not every {self.STRANGE} is a" in self.said(db, MigrationRefusedError)

    def test_a_model_that_changed_the_type_of_its_id(self, stands: None, opened: Open) -> None:
        said = self.said(opened(item(id=str, level=int)), MigrationRefusedError)

        assert "an id that other records may point to keeps its type" in said

    def test_two_models_with_one_table(self, opened: Open) -> None:
        db = opened(item(level=int))

        with pytest.raises(ModelError, match=r"would share the table 'items'.*set __tablename__"):
            db.model(type("Thing", (), {"__annotations__": {"name": str}, "__tablename__": "items"}))

    @pytest.mark.parametrize(
        "body",
        [
            {"__annotations__": {LONG: str}},
            {"__annotations__": {"a": str}, "__tablename__": LONG},
            {"__annotations__": {"a": str}, "__indexes__": [{"fields": ["a"], "name": LONG}]},
        ],
    )
    def test_names_over_the_limit_of_the_database(self, body: dict[str, Any], opened: Open) -> None:
        with pytest.raises(ModelError, match=r"63|of no use|longer"):
            opened(type("Thing", (), body))

    def test_names_that_we_make_are_cut_to_the_limit(self, opened: Open) -> None:
        name = "n" * 60
        db = opened(type("Thing", (), {"__annotations__": {name: Annotated[int, at.Ge(0)]},
                                     "__tablename__": "t" * 60, "__indexes__": [{"fields": [name]}]}))  # fmt: skip

        assert db.schema.migrate().changes
        assert db.schema.plan().changes == ()

    def test_a_migration_that_fails_in_the_middle(self, stands: None, opened: Open) -> None:
        """What came before the failure, and would have come after it, is not there either."""

        class Before:
            name: str

        grown = item(level=Annotated[int, at.Ge(5)], note=(str | None, None), __indexes__=[{"fields": ["level"]}])
        db = opened(Before, grown)

        assert "nothing was changed" in self.said(db, MigrationFailedError, db.schema.plan().name)

    def test_a_failure_is_the_same_at_the_first_operation(self, stands: None, opened: Open) -> None:
        db = opened(item(level=Annotated[int, at.Ge(5)]))

        with pytest.raises(MigrationRefusedError):
            db.express_sync.count("Item")
