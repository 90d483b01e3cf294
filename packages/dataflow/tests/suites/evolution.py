"""How a schema follows models that change, on any database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import annotated_types as at
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.errors import MigrationFailedError, MigrationRefusedError, RollbackError
from dataflow.executors.sync import SyncExecutor
from dataflow.model.declare import declare
from dataflow.model.registry import Models
from dataflow.model.spec import ForeignKey
from dataflow.schema import history, registry
from dataflow.schema.inspect import inspect
from dataflow.schema.migrate import SyncDDLExecutor
from dataflow.schema.plan import described
from dataflow.schema.state import Table
from suites import random_models
from suites.random_models import Mood, Moods

STAMP = "'2026-01-01T00:00:00.000000+00:00'"


def item(**annotations: Any) -> type:
    """Return a class ``Item`` of these fields; a tuple is an annotation with its default; dunders are as they are."""
    body: dict[str, Any] = {"__annotations__": {}}
    for name, said in annotations.items():
        if name.startswith("__"):
            body[name] = said
        elif isinstance(said, tuple):
            body["__annotations__"][name], body[name] = said
        else:
            body["__annotations__"][name] = said
    return type("Item", (), body)


def models_of(*classes: type) -> Models:
    models = Models()
    for cls in classes:
        models.register(declare(cls))
    return models


class Evolving:
    """A database whose models change."""

    @pytest.fixture
    def migration(self, executor: SyncExecutor) -> SyncDDLExecutor:
        return SyncDDLExecutor(executor.ddl, lock_timeout=20, application="shop")

    @pytest.fixture
    def tell(self, executor: SyncExecutor) -> Callable[..., list[tuple[Any, ...]]]:
        def run(*statements: str) -> list[tuple[Any, ...]]:
            with executor.ddl() as connection:
                return [connection.ask(statement) for statement in statements][-1]

        return run

    @pytest.fixture
    def table(self, executor: SyncExecutor) -> Callable[[str], Table]:
        def look(name: str = "items") -> Table:
            with executor.ddl() as connection:
                return inspect(connection, [name]).tables[name]

        return look

    @pytest.fixture
    def become(self, migration: SyncDDLExecutor) -> Callable[..., list[str]]:
        """Migrate to these classes; tell what was done."""

        def run(*classes: type, accept: str = "") -> list[str]:
            models = models_of(*classes)
            applied = migration.migrate(models, accept=accept)
            assert [*map(described, migration.plan(models).changes)] == []  # it is what was wanted
            return [*map(described, applied.changes)]

        return run

    @pytest.fixture
    def refused(self, migration: SyncDDLExecutor, table: Any) -> Callable[..., str]:
        """Migrate to these classes in vain; return why. Nothing is changed; with the plan's name it is done."""

        def run(*classes: type, becomes: bool = True) -> str:
            before = table()
            with pytest.raises(MigrationRefusedError) as caught:
                migration.migrate(models_of(*classes))
            assert table() == before
            if becomes:
                assert f"dataflow migrate --accept {caught.value.plan}" in str(caught.value)
                assert migration.migrate(models_of(*classes), accept=caught.value.plan).changes
                assert migration.plan(models_of(*classes)).changes == ()
            return str(caught.value)

        return run


class Evolution(Evolving):
    # -- what happens by itself ------------------------------------------------------------------------------

    def test_tables_that_exist_gain_the_models_new_columns(self, become: Any, tell: Any) -> None:
        """Lesson 13."""
        become(item(name=str))
        tell(f"INSERT INTO items (name, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})")

        done = become(
            item(name=str, note=(str | None, None), level=(int, 3), mood=(Mood, Mood.GLAD), good=(bool, True))
        )

        assert done == [
            "add column items.note", "add column items.level", "add column items.mood", "add column items.good",
            *(each for each in done if each.startswith("add check")),
        ]  # fmt: skip
        assert tell("SELECT name, note, level, mood, good FROM items")[0][:4] == ("a", None, 3, "glad")

    def test_a_value_that_no_default_can_hold_is_given_to_the_records_that_are_there(
        self, become: Any, tell: Any, table: Any
    ) -> None:
        class Plain:
            name: str
            created_at: str
            updated_at: str

        Plain.__name__ = "Item"
        become(Plain)
        tell("INSERT INTO items (name, created_at, updated_at) VALUES ('a', 'x', 'y')")

        become(item(name=str, created_at=str, updated_at=str, tags=(list[str], ["new"])))

        assert tell("SELECT tags FROM items") in ([('["new"]',)], [(["new"],)])
        assert table().by_name["tags"].default is None

    def test_an_id_that_was_given_is_never_given_again_by_a_table_made_anew(self, become: Any, tell: Any) -> None:
        become(item(name=str))
        row = f"INSERT INTO items (name, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP}) RETURNING id"
        tell(row, row, "DELETE FROM items WHERE id = 2")

        become(item(name=str, tags=(list[str], [])))

        assert tell(row.replace("(name,", "(name, tags,").replace("('a',", "('a', '[]',")) == [(3,)]

    def test_a_field_that_may_be_left_out_from_now_on(self, become: Any, table: Any) -> None:
        become(item(name=str))

        assert become(item(name=(str | None, None))) == ["set nullable items.name"]
        assert table().by_name["name"].nullable

    def test_an_enum_gains_a_member(self, become: Any, tell: Any) -> None:
        become(item(mood=Mood))
        tell(f"INSERT INTO items (mood, created_at, updated_at) VALUES ('sad', {STAMP}, {STAMP})")

        assert [each.partition(" items")[0] for each in become(item(mood=Moods))] == ["drop check", "add check"]
        tell(f"INSERT INTO items (mood, created_at, updated_at) VALUES ('calm', {STAMP}, {STAMP})")

    def test_a_limit_is_loosened(self, become: Any, tell: Any) -> None:
        become(item(level=Annotated[int, at.Ge(5), at.Lt(10)]))
        tell(f"INSERT INTO items (level, created_at, updated_at) VALUES (5, {STAMP}, {STAMP})")

        become(item(level=Annotated[int, at.Ge(0), at.Le(10)]))
        become(item(level=Annotated[int, at.Ge(0)]))
        become(item(level=int))

        tell(f"INSERT INTO items (level, created_at, updated_at) VALUES (-5, {STAMP}, {STAMP})")

    def test_a_longer_text_is_no_work(self, become: Any, table: Any) -> None:
        become(item(name=Annotated[str, at.MaxLen(10)]))
        become(item(name=Annotated[str, at.MaxLen(20)]))
        become(item(name=str))

        assert "10" not in table().by_name["name"].type

    def test_an_index_of_one_name_becomes_another(self, become: Any, table: Any) -> None:
        become(item(a=int, b=int, __indexes__=[{"fields": ["a"], "name": "main"}]))

        done = become(item(a=int, b=int, __indexes__=[{"fields": ["b"], "name": "main"}]))

        assert done == ["drop index items.main", "create index items.main"]
        assert [index.columns for index in table().indexes] == [("b",)]

    def test_a_database_default_follows_the_models(self, become: Any, tell: Any) -> None:
        become(item(name=(str, "it's")))
        assert become(item(name=(str, "a:b"))) == ["set default items.name"]

        tell(f"INSERT INTO items (created_at, updated_at) VALUES ({STAMP}, {STAMP})")
        assert tell("SELECT name FROM items") == [("a:b",)]

    def test_what_is_rich_with_rules_is_made_in_one_go(self, become: Any, tell: Any) -> None:
        become(
            item(
                level=(Annotated[int, at.Ge(-1)], 0),
                share=(Annotated[float, at.Gt(0), at.Le(1)], 0.5),
                size=(Literal["s", "m"], "s"),
                name=(Annotated[str, at.MinLen(1), at.MaxLen(5)], "x"),
            )
        )
        stamps = f"created_at, updated_at) VALUES ({STAMP}, {STAMP}"

        for broken in ("level) VALUES (-2", "share) VALUES (0", "share) VALUES (1.1", "size) VALUES ('l'"):
            column, value = broken.split(") VALUES (")
            with pytest.raises(Exception, match="rule of the table"):
                tell(f"INSERT INTO items ({column}, {stamps.replace('(', '(' + value + ', ', 1)})")
        tell(f"INSERT INTO items ({stamps})")

    @settings(max_examples=8)
    @given(data=st.data())
    def test_whatever_becomes_of_models_their_schema_follows_and_goes_back(
        self, data: st.DataObject, executor: SyncExecutor, migration: SyncDDLExecutor
    ) -> None:
        """A database brought forward is what was asked for; brought back, it is what it was."""
        with executor.ddl() as connection:
            for name in ("lines", "items", history.TABLE, registry.TABLE):
                connection.ask(f"DROP TABLE IF EXISTS {name}")
        first, second = data.draw(random_models.models()), data.draw(random_models.models())
        self.agree(migration, first)
        with executor.ddl() as connection:
            before = inspect(connection, ["items", "lines"])

        changed = self.agree(migration, second)

        assert [*map(described, migration.plan(second).changes)] == []
        if changed:
            migration.rollback(accept=migration.rollback(dry_run=True).plan.name)
            with executor.ddl() as connection:
                assert inspect(connection, ["items", "lines"]) == before

    def agree(self, migration: SyncDDLExecutor, models: Models) -> bool:
        plan = migration.plan(models)
        migration.migrate(models, accept=plan.name)
        return bool(plan.changes)

    # -- names -----------------------------------------------------------------------------------------------

    def test_a_rename_is_recognised_where_it_is_declared(self, become: Any, tell: Any) -> None:
        become(item(title=Annotated[str, at.MinLen(1)], mood=Mood, __indexes__=[{"fields": ["title"]}]))
        tell(f"INSERT INTO items (title, mood, created_at, updated_at) VALUES ('a', 'sad', {STAMP}, {STAMP})")

        done = become(
            item(
                name=Annotated[str, at.MinLen(1)],
                temper=Mood,
                __renamed__={"title": "name", "mood": "temper"},
                __indexes__=[{"fields": ["name"]}],
            )
        )

        assert done[:2] == ["rename column items.name", "rename column items.temper"]
        assert tell("SELECT name, temper FROM items") == [("a", "sad")]

    def test_a_rename_is_never_guessed(self, become: Any, tell: Any, table: Any) -> None:
        become(item(title=(str | None, None)))
        tell(f"INSERT INTO items (title, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})")

        assert become(item(name=(str | None, None))) == ["add column items.name"]
        assert tell("SELECT title, name FROM items") == [("a", None)]

    def test_a_table_is_renamed_where_it_is_declared(self, become: Any, tell: Any) -> None:
        become(item(name=str))
        tell(f"INSERT INTO items (name, created_at, updated_at) VALUES ('a', {STAMP}, {STAMP})")

        assert become(item(name=str, __tablename__="things", __renamed__={"items": "things"}))[0].startswith("rename")
        assert tell("SELECT name FROM things") == [("a",)]

    # -- what is refused -------------------------------------------------------------------------------------

    def fill(self, tell: Any, column: str, value: str) -> None:
        tell(f"INSERT INTO items ({column}, created_at, updated_at) VALUES ({value}, {STAMP}, {STAMP})")

    def test_a_required_column_on_a_table_with_records_needs_a_value(
        self, become: Any, refused: Any, tell: Any
    ) -> None:
        become(item(name=str))
        assert become(item(name=str, level=int)) == ["add column items.level"]  # nobody is there to have none
        self.fill(tell, "name, level", "'a', 1")

        assert "give price a default, or `| None`" in refused(item(name=str, level=int, price=float), becomes=False)

    def test_narrowing_is_refused_with_the_command_that_does_it(self, become: Any, refused: Any, tell: Any) -> None:
        become(item(name=(str | None, None)))
        self.fill(tell, "name", "'a'")

        assert "set nullable items.name" in refused(item(name=str))

    def test_a_limit_that_is_tightened_is_refused(self, become: Any, refused: Any, tell: Any) -> None:
        become(item(level=Annotated[int, at.Ge(0)]))
        self.fill(tell, "level", "7")

        assert "records that break it stop it" in refused(item(level=Annotated[int, at.Ge(1)]))

    def test_an_enum_that_loses_a_member_is_refused(self, become: Any, refused: Any, tell: Any) -> None:
        become(item(mood=Moods))
        self.fill(tell, "mood", "'sad'")

        assert "add check items" in refused(item(mood=Mood))

    def test_records_that_a_new_rule_forbids_stop_it_and_nothing_is_changed(
        self, become: Any, migration: SyncDDLExecutor, tell: Any, table: Any
    ) -> None:
        """A migration that fails in the middle leaves exactly what was."""
        become(item(level=int))
        self.fill(tell, "level", "0")
        before, rows = table(), tell("SELECT * FROM items")
        after = item(level=Annotated[int, at.Ge(1)], note=(str | None, None), __indexes__=[{"fields": ["level"]}])
        plan = migration.plan(models_of(after))

        with pytest.raises(MigrationFailedError, match=r"level\w*: some records have no value, or one that is not"):
            migration.migrate(models_of(after), accept=plan.name)

        assert (table(), tell("SELECT * FROM items")) == (before, rows)
        assert len(migration.history()) == 1

    def test_another_type_is_refused_and_converts_what_can_be_converted(
        self, become: Any, refused: Any, tell: Any
    ) -> None:
        become(item(code=str))
        self.fill(tell, "code", "'17'")

        said = refused(item(code=int))

        assert "set type items.code" in said
        assert tell("SELECT code FROM items") == [(17,)]

    @pytest.mark.parametrize(
        ("before", "value", "after"), [(str, "'17 b'", int), (str, "'1.5'", int), (float, "2.5", int)]
    )
    def test_a_value_that_the_new_type_has_not_is_never_made_into_another(
        self, before: type, value: str, after: type, become: Any, migration: SyncDDLExecutor, tell: Any
    ) -> None:
        become(item(code=before))
        self.fill(tell, "code", value)
        rows = tell("SELECT * FROM items")

        with pytest.raises(MigrationFailedError, match=r"set type items\.code: .* nothing was changed"):
            become(item(code=after), accept=migration.plan(models_of(item(code=after))).name)

        assert tell("SELECT * FROM items") == rows

    def test_a_model_that_changed_the_type_of_its_id_is_told_what_to_do(
        self, become: Any, refused: Any, tell: Any
    ) -> None:
        become(item(name=str))

        assert "keeps its type" in refused(item(id=str, name=str), becomes=False)

    def test_a_field_that_is_gone_leaves_its_column_and_needs_a_word_where_no_record_could_be_made(
        self, become: Any, refused: Any, tell: Any, table: Any
    ) -> None:
        become(item(name=str, note=(str | None, None)))
        self.fill(tell, "name", "'a'")

        assert become(item(name=str)) == []
        said = refused(item(title=(str | None, None)))

        assert "no model has this column" in said
        assert tell("SELECT name FROM items") == [("a",)]
        assert table().by_name["name"].nullable

    def test_an_agreement_is_to_one_plan(self, become: Any, migration: SyncDDLExecutor, tell: Any) -> None:
        become(item(name=(str | None, None)))
        self.fill(tell, "name", "'a'")

        with pytest.raises(MigrationRefusedError, match="another one by now than 0123456789"):
            migration.migrate(models_of(item(name=str)), accept="0123456789")

    def test_a_table_that_is_a_view_is_an_error_that_says_so(self, migration: SyncDDLExecutor, tell: Any) -> None:
        tell("CREATE TABLE base (id INTEGER)", "CREATE VIEW items AS SELECT id FROM base")

        with pytest.raises(MigrationRefusedError, match="items: is a view"):
            migration.migrate(models_of(item(name=str)))

    # -- keys ------------------------------------------------------------------------------------------------

    def test_a_foreign_key_is_added_and_what_it_does_on_delete_is_changed(
        self, become: Any, migration: SyncDDLExecutor, tell: Any, table: Any
    ) -> None:
        def owned(on_delete: str | None) -> type:
            kind: Any = Annotated[int | None, ForeignKey("Owner.id", on_delete=on_delete)] if on_delete else int | None
            return item(owner_id=(kind, None))

        owner = type("Owner", (), {"__annotations__": {"name": str}})
        become(owner, owned(None))
        become(owner, owned("restrict"))
        become(owner, owned("cascade"))

        assert [key.on_delete for key in table().foreign_keys] == ["CASCADE"]

    def test_what_points_at_a_table_that_is_made_anew_still_does(self, become: Any, tell: Any, table: Any) -> None:
        line = type(
            "Line", (), {"__annotations__": {"item_id": Annotated[int, ForeignKey("Item.id", on_delete="cascade")]}}
        )
        become(item(name=str), line)
        self.fill(tell, "name", "'a'")
        tell(f"INSERT INTO lines (item_id, created_at, updated_at) VALUES (1, {STAMP}, {STAMP})")

        become(item(name=str, tags=(list[str], [])), line)

        assert tell("SELECT count(*) FROM lines") == [(1,)]
        assert [key.table for key in table("lines").foreign_keys] == ["items"]
        tell("DELETE FROM items")
        assert tell("SELECT count(*) FROM lines") == [(0,)]

    # -- history and going back ------------------------------------------------------------------------------

    def test_the_history_tells_who_did_what(self, become: Any, migration: SyncDDLExecutor) -> None:
        become(item(name=str))
        become(item(name=str, note=(str | None, None)))

        first, second = migration.history()

        assert (first.application, first.models, second.models) == ("shop", {"Item": 1}, {"Item": 2})
        assert [*map(described, second.changes)] == ["add column items.note"]
        assert second.applied_at is not None
        assert second.seconds > 0
        assert first.host

    def test_rollback_brings_back_the_structure_and_says_what_it_loses(
        self, become: Any, migration: SyncDDLExecutor, tell: Any, table: Any
    ) -> None:
        become(item(name=str, __indexes__=[{"fields": ["name"]}]))
        self.fill(tell, "name", "'a'")
        before = table()
        become(item(name=(str | None, None), note=(str, "none"), level=(Annotated[int, at.Ge(0)], 1)))
        changed = table()

        preview = migration.rollback(dry_run=True)
        with pytest.raises(MigrationRefusedError, match="values of note"):
            migration.rollback()

        assert table() == changed
        assert migration.rollback(accept=preview.plan.name).undone == (2,)
        assert table() == before
        assert tell("SELECT name FROM items") == [("a",)]
        assert [each.kind for each in migration.history()] == ["migrate", "migrate", "rollback"]

    def test_rollback_goes_back_to_any_row_and_the_models_bring_it_forward_again(
        self, become: Any, migration: SyncDDLExecutor, executor: SyncExecutor
    ) -> None:
        become(item(name=str))
        become(item(name=str, a=(int | None, None)))
        become(item(name=str, a=(int | None, None), b=(int | None, None)))

        assert migration.rollback(to=1).undone == (3, 2)
        assert migration.rollback(to=0).undone == (1,)
        with executor.ddl() as connection:
            assert inspect(connection, ["items"]).tables == {}
            assert history.standing(history.read(connection)) == []
        with pytest.raises(RollbackError, match="nothing to roll back"):
            migration.rollback()
        assert len(become(item(name=str))) == 1

    def test_there_is_no_going_back_to_what_never_was(self, become: Any, migration: SyncDDLExecutor) -> None:
        with pytest.raises(RollbackError, match="nothing"):
            migration.rollback()
        become(item(name=str))
        with pytest.raises(RollbackError, match="no migration 7"):
            migration.rollback(to=7)

    def test_a_rollback_whose_table_is_gone_is_a_clear_error(
        self, become: Any, migration: SyncDDLExecutor, tell: Any
    ) -> None:
        become(item(name=str))
        become(item(name=str, a=(int | None, None)))
        tell("DROP TABLE items")

        with pytest.raises(RollbackError, match="items is not there any more"):
            migration.rollback()
