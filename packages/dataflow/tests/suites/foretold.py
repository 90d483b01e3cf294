"""What a plan tells beforehand, on any database: whose records go with others, and what stays though unwanted."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import pytest

from dataflow.errors import DuplicateError, MigrationFailedError, MigrationRefusedError
from dataflow.model.spec import Column, ForeignKey
from dataflow.schema import changes as kinds
from dataflow.schema.migrate import SyncDDLExecutor
from suites.evolution import STAMP, Evolving, item, models_of


def child(name: str, field: str, on_delete: str, to: str = "Item") -> type:
    kind: Any = Annotated[int | None, ForeignKey(f"{to}.id", on_delete=on_delete)]
    return type(name, (), {"__annotations__": {field: kind}, field: None})


class Foretold(Evolving):
    def effects(self, migration: SyncDDLExecutor, *classes: type) -> dict[str, tuple[str, ...]]:
        steps = migration.plan(models_of(*classes)).steps
        return {kinds.table_of(step.change): step.effects for step in steps if step.effects}

    # -- records that go with others -------------------------------------------------------------------------

    def test_a_plan_names_the_tables_whose_records_go_with_a_parents(self, migration: SyncDDLExecutor) -> None:
        told = self.effects(
            migration, item(name=str), child("Line", "item_id", "cascade"), child("Note", "line_id", "cascade", "Line")
        )

        assert told == {
            "lines": ("deleting a record of items deletes its records of lines, and with them those of notes",),
            "notes": ("deleting a record of lines deletes its records of notes",),
        }

    @pytest.mark.parametrize(
        ("on_delete", "told"),
        [
            ("cascade", {"lines": ("deleting a record of items deletes its records of lines",)}),
            ("set null", {"lines": ("deleting a record of items empties item_id of its records of lines",)}),
            ("restrict", {}),
            ("no action", {}),
        ],
    )
    def test_a_key_that_is_added_tells_what_it_does_on_delete(
        self, on_delete: str, told: Any, become: Any, migration: SyncDDLExecutor
    ) -> None:
        plain = type("Line", (), {"__annotations__": {"item_id": int | None}, "item_id": None})
        become(item(name=str), plain)

        assert self.effects(migration, item(name=str), child("Line", "item_id", on_delete)) == told

    def test_a_refusal_names_them_too(self, become: Any, migration: SyncDDLExecutor, tell: Any) -> None:
        plain = type("Line", (), {"__annotations__": {"item_id": int | None}, "item_id": None})
        become(item(name=str), plain)
        tell(f"INSERT INTO lines (created_at, updated_at) VALUES ({STAMP}, {STAMP})")

        with pytest.raises(MigrationRefusedError, match="deleting a record of items deletes its records of lines"):
            migration.migrate(models_of(item(name=str), child("Line", "item_id", "cascade")))

    def test_a_key_that_cascades_no_more_says_so(self, become: Any, migration: SyncDDLExecutor) -> None:
        become(item(name=str), child("Line", "item_id", "cascade"))

        told = [
            effect
            for step in migration.plan(models_of(item(name=str), child("Line", "item_id", "restrict"))).steps
            for effect in step.effects
        ]

        assert told == ["deleting a record of items no longer deletes those of lines"]

    def test_a_table_that_another_one_points_to_is_not_dropped_and_says_which(
        self, become: Any, migration: SyncDDLExecutor, tell: Any
    ) -> None:
        become(item(name=str))
        tell("CREATE TABLE diary (id INTEGER PRIMARY KEY, item BIGINT REFERENCES items (id))")
        tell(f"INSERT INTO items (name, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})")
        tell("INSERT INTO diary VALUES (1, 1)")

        preview = migration.rollback(dry_run=True)
        with pytest.raises(MigrationFailedError, match="nothing was changed"):
            migration.rollback(accept=preview.plan.name)

        assert [step.effects for step in preview.plan.steps] == [("diary.item points to it, and stops it",)]
        assert tell("SELECT count(*) FROM items") == [(1,)]
        assert tell("SELECT count(*) FROM diary") == [(1,)]

    # -- unique indexes that no model wants ------------------------------------------------------------------

    def test_a_unique_index_that_is_no_longer_wanted_stays_and_is_told(
        self, become: Any, migration: SyncDDLExecutor, tell: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        become(item(code=str, __indexes__=[{"fields": ["code"], "unique": True}]))
        row = f"INSERT INTO items (code, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})"
        tell(row)

        (notice,) = migration.plan(models_of(item(code=str))).notices
        with caplog.at_level(logging.WARNING, "dataflow.schema"):
            migration.migrate(models_of(item(code=str)))

        assert notice.startswith(
            "items: uq_items_code keeps code unique, which no model asks for; it stays: DROP INDEX"
        )
        assert notice in caplog.text
        with pytest.raises(DuplicateError):
            tell(row)
        tell(notice.partition("it stays: ")[2].removesuffix(" lets equal values in"))
        tell(row)
        assert migration.plan(models_of(item(code=str))).notices == ()

    def test_what_a_model_wants_or_its_key_makes_true_anyway_is_not_told(
        self, become: Any, migration: SyncDDLExecutor, tell: Any
    ) -> None:
        wanted = item(code=str, __indexes__=[{"fields": ["code"], "unique": True}])
        become(wanted)
        tell("CREATE UNIQUE INDEX wide ON items (id, code)", "CREATE UNIQUE INDEX odd ON items (lower(code))")
        tell("CREATE UNIQUE INDEX partly ON items (updated_at) WHERE code <> ''")

        assert migration.plan(models_of(wanted)).notices == ()

    # -- columns of another name than their fields -----------------------------------------------------------

    @pytest.mark.parametrize("said", [{"title": "name"}, {"title": "Full Name"}])
    def test_a_field_whose_column_has_another_name_is_renamed_to_it(
        self, said: dict[str, str], become: Any, tell: Any
    ) -> None:
        become(item(title=str))
        tell(f"INSERT INTO items (title, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})")

        done = become(item(name=Annotated[str, Column("Full Name")], __renamed__=said))

        assert done == ["rename column items.Full Name"]
        assert tell('SELECT "Full Name" FROM items') == [("a",)]

    def test_a_column_gets_the_name_of_its_field_and_another_one(self, become: Any, tell: Any) -> None:
        become(item(name=Annotated[str, Column("Full Name")]))
        tell(f"""INSERT INTO items ("Full Name", created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})""")

        become(item(name=str, __renamed__={"Full Name": "name"}))
        become(item(name=Annotated[str, Column("Title")], __renamed__={"name": "name"}))

        assert tell('SELECT "Title" FROM items') == [("a",)]
