"""What an executor promises, on any database, blocking and under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from dataflow.effects import DataPlan, Row, after_commit, atomically, load, query, repeat
from dataflow.errors import ConstraintError, DatabaseError, DuplicateError, ForeignKeyError
from dataflow.executors.aio import AsyncExecutor
from dataflow.executors.compiled import dialect
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sqlite import SqliteDatabase
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from dataflow.model.types import Integer, Number, Text
from kailash.errors import ConfigurationError, KailashError

METADATA = sa.MetaData()
INTEGER = Integer().with_variant(sa.Integer(), "sqlite")
NUMBER = Number().with_variant(sa.Text(), "sqlite")
TEXT = Text().with_variant(sa.Text(), "sqlite")
ITEMS = sa.Table(
    "items",
    METADATA,
    sa.Column("id", INTEGER, sa.Identity(), primary_key=True),
    sa.Column("sku", TEXT, nullable=False),
    sa.Column("qty", INTEGER, nullable=False),
    sa.Column("price", NUMBER),
    sa.UniqueConstraint("sku", name="one_sku"),
    sa.CheckConstraint("qty >= 0", name="some_qty"),
)
PARTS = sa.Table(
    "parts",
    METADATA,
    sa.Column("id", INTEGER, sa.Identity(), primary_key=True),
    sa.Column("item_id", INTEGER, sa.ForeignKey("items.id", name="an_item"), nullable=False),
)


class Stand:
    """One database with items, and both executors of it; `run` uses the one under test."""

    def __init__(self, url: str, face: str, **options: Any) -> None:
        self.url, self.face = DatabaseURL.parse(url), face
        self.options = PoolOptions(**{"pool_size": 3, "max_overflow": 1, **options})
        self.shared = SqliteDatabase(self.url, self.options) if self.url.dialect == "sqlite" else None
        self.sync = SyncExecutor(self.url, self.options, self.shared)
        self.aio = AsyncExecutor(self.url, self.options, self.shared)
        self.runner = asyncio.Runner()

    def make_tables(self) -> None:
        spelled = dialect("sqlite" if self.url.dialect == "sqlite" else "psycopg2")
        with self.sync.ddl() as connection:
            for table in METADATA.sorted_tables:
                connection.ask(str(sa.schema.CreateTable(table).compile(dialect=spelled)))

    def run(self, plan: DataPlan[Any]) -> Any:
        if self.face == "blocking":
            return self.sync.run(plan)
        return self.do(lambda: self.aio.run(plan))

    def do(self, begin: Callable[[], Awaitable[Any]]) -> Any:
        """Run what *begin* returns on the stand's loop."""

        async def whole() -> Any:
            return await begin()

        return self.runner.run(whole())

    def close(self) -> None:
        self.do(self.aio.aclose)
        self.runner.close()
        self.sync.close()


# -- plans -------------------------------------------------------------------------------------------------------


def add(sku: str, qty: int = 0, price: Decimal | None = None) -> DataPlan[Row]:
    def build() -> Any:
        values: dict[str, Any] = {name: sa.bindparam(name) for name in ("sku", "qty", "price")}
        return sa.insert(ITEMS).values(values).returning(ITEMS)

    rows = yield from query("add", build, {"sku": sku, "qty": qty, "price": price}, writes=True)
    return rows.items[0]


def skus() -> DataPlan[list[str]]:
    rows = yield from query("skus", lambda: sa.select(ITEMS.c.sku).order_by(ITEMS.c.sku), {})
    return [row["sku"] for row in rows.items]


def tell(sql: str, *, writes: bool = True) -> DataPlan[int]:
    rows = yield from query(("tell", sql), lambda: sa.text(sql), {}, writes=writes)
    return rows.touched


def together(*plans: DataPlan[Any]) -> DataPlan[list[Any]]:
    yield from atomically()
    return (yield from apart(*plans))


def apart(*plans: DataPlan[Any]) -> DataPlan[list[Any]]:
    values: list[Any] = []
    for plan in plans:
        values.append((yield from plan))  # noqa: PERF401 - a comprehension cannot yield
    return values


def fail() -> DataPlan[None]:
    yield from after_commit()
    raise LookupError("the plan's own")


class Stands:
    """Fixtures."""

    @pytest.fixture(params=["blocking", "asyncio"])
    def face(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def stand(self, url: str, face: str) -> Iterator[Stand]:
        made = Stand(url, face)
        made.make_tables()
        yield made
        made.close()


class Statements(Stands):
    def test_a_statement_answers_with_records_of_declared_types(self, stand: Stand) -> None:
        record = stand.run(add("a", 3, Decimal("1.50")))

        assert record == {"id": 1, "sku": "a", "qty": 3, "price": Decimal("1.50")}
        assert str(record["price"]) == "1.50"

    def test_null_is_not_converted(self, stand: Stand) -> None:
        assert stand.run(add("a"))["price"] is None

    def test_a_statement_without_rows_tells_how_many_it_touched(self, stand: Stand) -> None:
        stand.run(apart(add("a"), add("b")))

        assert stand.run(tell("UPDATE items SET qty = 7")) == 2
        assert stand.run(tell("DELETE FROM items WHERE sku = 'nobody'")) == 0

    def test_a_value_that_the_statement_was_built_with_stays(self, stand: Stand) -> None:
        stand.run(apart(add("a"), add("b"), add("c")))

        def two() -> DataPlan[int]:
            build = lambda: sa.select(ITEMS.c.sku).where(ITEMS.c.sku > sa.bindparam("after")).limit(1)  # noqa: E731
            return len((yield from query("two", build, {"after": "a"})).items)

        assert [stand.run(two()), stand.run(two())] == [1, 1]

    def test_a_shape_is_compiled_once(self, stand: Stand) -> None:
        built = []

        def counted(sku: str) -> DataPlan[int]:
            def build() -> Any:
                built.append(sku)
                return sa.select(ITEMS.c.id).where(ITEMS.c.sku == sa.bindparam("sku"))

            return len((yield from query("counted", build, {"sku": sku})).items)

        for sku in "abc":
            stand.run(counted(sku))

        assert built == ["a"]

    def test_a_statement_of_a_plan_that_asks_for_no_transaction_commits_by_itself(self, stand: Stand) -> None:
        with pytest.raises(LookupError):
            stand.run(apart(add("a"), fail()))

        assert stand.run(skus()) == ["a"]

    def test_a_plan_may_catch_what_its_question_caused(self, stand: Stand) -> None:
        def twice() -> DataPlan[str]:
            yield from add("a")
            try:
                yield from add("a")
            except DuplicateError as error:
                return error.code
            return "none"

        assert stand.run(twice()) == "duplicate"

    def test_a_plan_that_asks_nothing_has_its_value(self, stand: Stand) -> None:
        assert stand.run(apart()) == []

    def test_percent_signs_and_quotes_in_a_statement_and_its_values_stay(self, stand: Stand) -> None:
        text = "100% 'of' \"it\" :x $1 ? \\ \n\t é 漢"
        stand.run(add(text))

        assert stand.run(skus()) == [text]
        assert stand.run(tell("DELETE FROM items WHERE sku LIKE '100\\%%' ESCAPE '\\'".replace("\\", "!"))) == 1


class Transactions(Stands):
    def test_all_that_follows_atomically_commits_as_one(self, stand: Stand) -> None:
        stand.run(together(add("a"), add("b")))

        assert stand.run(skus()) == ["a", "b"]

    def test_all_that_follows_atomically_fails_as_one(self, stand: Stand) -> None:
        with pytest.raises(LookupError):
            stand.run(together(add("a"), add("b"), fail()))
        with pytest.raises(DuplicateError):
            stand.run(together(add("c"), add("c")))

        assert stand.run(skus()) == []

    def test_what_came_before_atomically_has_committed(self, stand: Stand) -> None:
        with pytest.raises(LookupError):
            stand.run(apart(add("a"), together(add("b"), fail())))

        assert stand.run(skus()) == ["a"]

    def test_the_next_plan_finds_no_trace_of_a_failed_one(self, stand: Stand) -> None:
        for _ in range(6):  # more than there are connections
            with pytest.raises(DuplicateError):
                stand.run(together(add("a"), add("a")))

        stand.run(together(add("a")))
        assert stand.run(skus()) == ["a"]

    def test_deeds_happen_after_the_commit_and_in_order(self, stand: Stand) -> None:
        seen: list[Any] = []

        def deed(name: str) -> Callable[[], None]:
            return lambda: seen.append((name, stand.url.memory or stand.sync.run(skus())))

        stand.run(together(after_commit(deed("first")), add("a"), after_commit(deed("second"), deed("third"))))

        expected = True if stand.url.memory else ["a"]
        assert seen == [("first", expected), ("second", expected), ("third", expected)]

    def test_deeds_never_happen_after_a_rollback(self, stand: Stand) -> None:
        seen: list[str] = []

        with pytest.raises(LookupError):
            stand.run(together(add("a"), after_commit(lambda: seen.append("done")), fail()))

        assert seen == []

    def test_deeds_of_what_committed_by_itself_happen(self, stand: Stand) -> None:
        seen: list[str] = []

        stand.run(apart(add("a"), after_commit(lambda: seen.append("first"))))
        with pytest.raises(LookupError):
            stand.run(apart(add("b"), after_commit(lambda: seen.append("second")), fail()))

        assert seen == ["first", "second"]

    def test_a_deed_that_fails_is_logged_and_stops_nothing(
        self, stand: Stand, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[str] = []

        def broken() -> None:
            raise LookupError("the deed's own")

        record = stand.run(together(add("a"), after_commit(broken, lambda: seen.append("second"))))

        assert (seen, len(record)) == (["second"], 2)
        assert "a deed after a commit failed" in caplog.text

    def test_connections_are_given_back_whatever_happens(self, url: str, face: str) -> None:
        stand = Stand(url, face, pool_size=1, max_overflow=0, pool_timeout=0.5)
        stand.make_tables()
        for plan in (add("a"), together(add("b")), skus()):
            stand.run(plan)
        for plan in (add("a"), together(add("a")), together(fail()), apart(skus(), fail())):
            with pytest.raises((DuplicateError, LookupError)):
                stand.run(plan)

        assert stand.run(skus()) == ["a", "b"]
        stand.close()

    def test_what_runs_after_a_close_opens_new_connections(self, url: str, face: str) -> None:
        stand = Stand(url, face)
        stand.make_tables()
        stand.run(add("a"))
        stand.close()
        stand.runner = asyncio.Runner()

        found = stand.run(tell("SELECT 1", writes=False))

        stand.close()
        assert found <= 1


class Loads(Stands):
    ROWS = (
        ("tab\t", 1, None),
        ("line\nfeed\r", 2, Decimal("0.10")),
        ("back\\slash \\N", 3, None),
        ("é 漢 'q'", 4, None),
    )

    def fetched(self) -> DataPlan[list[tuple[Any, ...]]]:
        statement = sa.select(ITEMS.c.sku, ITEMS.c.qty, ITEMS.c.price).order_by(ITEMS.c.qty)
        rows = yield from query("fetched", lambda: statement, {})
        return [tuple(row.values()) for row in rows.items]

    def test_a_load_stores_every_text_as_it_is(self, stand: Stand) -> None:
        count = stand.run(load(lambda: ITEMS, ("sku", "qty", "price"), self.ROWS))

        assert count == 4
        assert stand.run(self.fetched()) == list(self.ROWS)

    def test_a_load_of_nothing_stores_nothing(self, stand: Stand) -> None:
        assert stand.run(load(lambda: ITEMS, ("sku", "qty"), [])) == 0
        assert stand.run(skus()) == []

    def test_a_load_that_is_refused_stores_nothing(self, stand: Stand) -> None:
        with pytest.raises(DuplicateError):
            stand.run(load(lambda: ITEMS, ("sku", "qty"), [("a", 1), ("b", 2), ("a", 3)]))

        assert stand.run(skus()) == []

    def test_a_temporary_load_lives_as_long_as_its_transaction(self, stand: Stand) -> None:
        arrived = sa.table("arrived", sa.column("ordinal_", INTEGER), sa.column("sku", TEXT), sa.column("qty", INTEGER))

        def join() -> DataPlan[list[Row]]:
            yield from atomically()
            yield from load(lambda: ITEMS, ("sku", "qty"), [("b", 5), ("a", 6)], temporary="arrived")
            build = lambda: sa.select(arrived.c.ordinal_, arrived.c.qty).order_by(arrived.c.sku)  # noqa: E731
            return (yield from query("join", build, {})).items

        expected = [{"ordinal_": 1, "qty": 6}, {"ordinal_": 0, "qty": 5}]
        assert stand.run(join()) == expected
        assert stand.run(join()) == expected
        with pytest.raises(DuplicateError):
            stand.run(apart(add("a"), together(join(), add("a"))))
        assert stand.run(join()) == expected

    def test_a_repeat_runs_a_statement_for_each_record(self, stand: Stand) -> None:
        stand.run(load(lambda: ITEMS, ("sku", "qty"), [("a", 1), ("b", 2), ("c", 3)]))
        statement = sa.update(ITEMS).where(ITEMS.c.sku == sa.bindparam("_key")).values(qty=sa.bindparam("_set"))

        touched = stand.run(repeat("each", lambda: statement, ("_key", "_set"), [("a", 10), ("c", 30), ("d", 40)]))

        assert touched == 2
        assert [row[1] for row in stand.run(self.fetched())] == [2, 10, 30]

    def test_a_repeat_that_is_refused_changes_nothing(self, stand: Stand) -> None:
        stand.run(load(lambda: ITEMS, ("sku", "qty"), [("a", 1), ("b", 2)]))
        statement = sa.update(ITEMS).where(ITEMS.c.sku == sa.bindparam("_key")).values(qty=sa.bindparam("_set"))

        with pytest.raises(ConstraintError):
            stand.run(repeat("each", lambda: statement, ("_key", "_set"), [("a", 10), ("b", -1)]))

        assert [row[1] for row in stand.run(self.fetched())] == [1, 2]


class Faults(Stands):
    def refused(self, stand: Stand, plan: DataPlan[Any], kind: type[KailashError]) -> KailashError:
        with pytest.raises(kind) as caught:
            stand.run(plan)
        said = f"{caught.value} {caught.value.problems}"
        assert "secret" not in said and "INSERT" not in said.upper().split()
        return caught.value

    def test_a_duplicate_names_the_field_and_not_the_value(self, stand: Stand) -> None:
        stand.run(add("secret"))

        error = self.refused(stand, add("secret"), DuplicateError)

        assert error.message == "sku in items is already taken"
        assert [problem.field for problem in error.problems] == ["sku"]

    def test_a_duplicate_of_a_load_names_the_field(self, stand: Stand) -> None:
        error = self.refused(stand, load(lambda: ITEMS, ("sku", "qty"), [("secret", 1)] * 2), DuplicateError)

        assert [problem.field for problem in error.problems] == ["sku"]

    def test_a_foreign_key_that_points_nowhere_is_a_conflict(self, stand: Stand) -> None:
        self.refused(stand, tell("INSERT INTO parts (item_id) VALUES (77)"), ForeignKeyError)

    def test_a_record_that_is_still_pointed_at_is_a_conflict(self, stand: Stand) -> None:
        stand.run(apart(add("a"), tell("INSERT INTO parts (item_id) VALUES (1)")))

        self.refused(stand, tell("DELETE FROM items"), ForeignKeyError)

    def test_a_missing_value_names_the_field(self, stand: Stand) -> None:
        error = self.refused(stand, tell("INSERT INTO items (sku) VALUES ('secret')"), ConstraintError)

        assert [problem.field for problem in error.problems] == ["qty"]

    def test_a_broken_check_is_an_invalid_input(self, stand: Stand) -> None:
        self.refused(stand, add("secret", -1), ConstraintError)

    def test_a_statement_that_makes_no_sense_is_a_fault_without_its_text(self, stand: Stand) -> None:
        error = self.refused(stand, tell("SELECT secret FORM items"), DatabaseError)

        assert "items" not in str(error)


class Explicit(Stands):
    """Transactions that outlive a plan."""

    def within(self, stand: Stand, *plans: DataPlan[Any], rollback: bool = False) -> list[Any]:
        """Run *plans* in one transaction."""
        if stand.face == "blocking":
            with stand.sync.begin() as transaction:
                found = [stand.sync.run(plan, transaction) for plan in plans]
                if rollback:
                    transaction.rollback()
            return found

        async def whole() -> list[Any]:
            async with await stand.aio.begin() as transaction:
                found = [await stand.aio.run(plan, transaction) for plan in plans]
                if rollback:
                    await transaction.rollback()
            return found

        answered: list[Any] = stand.do(whole)
        return answered

    def test_plans_in_a_transaction_see_each_other_and_commit_as_one(self, stand: Stand) -> None:
        assert self.within(stand, add("a"), skus(), add("b"), skus())[1::2] == [["a"], ["a", "b"]]
        assert stand.run(skus()) == ["a", "b"]

    def test_a_rollback_undoes_all_of_them(self, stand: Stand) -> None:
        self.within(stand, add("a"), together(add("b")), rollback=True)

        assert stand.run(skus()) == []

    def test_a_block_that_raises_rolls_back(self, stand: Stand) -> None:
        with pytest.raises(LookupError):
            self.within(stand, add("a"), fail())

        assert stand.run(skus()) == []

    def test_a_plan_that_is_atomic_undoes_only_itself(self, stand: Stand) -> None:
        seen: list[str] = []

        def guarded() -> DataPlan[Any]:
            yield from together(add("b"), after_commit(lambda: seen.append("b")), add("a"))

        def blocking() -> None:
            with stand.sync.begin() as transaction:
                stand.sync.run(apart(add("a"), after_commit(lambda: seen.append("a"))), transaction)
                with pytest.raises(DuplicateError):
                    stand.sync.run(guarded(), transaction)
                stand.sync.run(add("c"), transaction)
                assert seen == []

        async def waiting() -> None:
            async with await stand.aio.begin() as transaction:
                await stand.aio.run(apart(add("a"), after_commit(lambda: seen.append("a"))), transaction)
                with pytest.raises(DuplicateError):
                    await stand.aio.run(guarded(), transaction)
                await stand.aio.run(add("c"), transaction)
                assert seen == []

        blocking() if stand.face == "blocking" else stand.do(waiting)

        assert (stand.run(skus()), seen) == (["a", "c"], ["a"])

    def test_a_savepoint_is_undone_by_itself(self, stand: Stand) -> None:
        def blocking() -> None:
            with stand.sync.begin("serializable") as transaction:
                stand.sync.run(add("a"), transaction)
                with transaction.savepoint():
                    stand.sync.run(add("b"), transaction)
                mark = transaction.savepoint()
                stand.sync.run(add("c"), transaction)
                mark.rollback()

        async def waiting() -> None:
            async with await stand.aio.begin("serializable") as transaction:
                await stand.aio.run(add("a"), transaction)
                async with await transaction.savepoint():
                    await stand.aio.run(add("b"), transaction)
                mark = await transaction.savepoint()
                await stand.aio.run(add("c"), transaction)
                await mark.rollback()

        blocking() if stand.face == "blocking" else stand.do(waiting)

        assert stand.run(skus()) == ["a", "b"]

    def test_a_transaction_that_has_ended_takes_no_plan(self, stand: Stand) -> None:
        def blocking() -> None:
            transaction = stand.sync.begin()
            transaction.rollback()
            stand.sync.run(add("a"), transaction)

        async def waiting() -> None:
            transaction = await stand.aio.begin()
            await transaction.rollback()
            await stand.aio.run(add("a"), transaction)

        with pytest.raises(DatabaseError, match="ended"):
            blocking() if stand.face == "blocking" else stand.do(waiting)

    def test_an_unknown_isolation_level_is_refused(self, stand: Stand) -> None:
        with pytest.raises(ConfigurationError, match="serializable"):
            stand.sync.begin("serialisable") if stand.face == "blocking" else stand.do(
                lambda: stand.aio.begin("serialisable")
            )
        assert stand.run(skus()) == []
