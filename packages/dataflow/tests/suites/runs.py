"""Durable runs whose journal is in the application's database; on any database, in both runtimes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from dataflow import DataFlow
from dataflow.runs import RunStore
from kailash import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder
from kailash.errors import RunInProgressError, WorkflowExecutionError
from kailash.runtime.record import RunRecord

Execute = Callable[..., dict[str, Any]]
RECORD = RunRecord(run_id="r", workflow="w", name="n", given=b"[{},{}]", status="running")


def shop_at(url: str, **options: Any) -> DataFlow:
    db = DataFlow(url, **options)

    @db.model
    class Product:
        sku: str
        stock: int = 0

    return db


class KilledError(BaseException):
    """The process ends here."""


class Dying:
    """A store before another one: it begins runs, and whoever writes anything by itself dies."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.begin, self.abegin = store.begin, store.abegin
        self.keep = self.finish = self.akeep = self.afinish = self.die

    def die(self, *written: Any) -> Any:
        raise KilledError


class Runs:
    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        with shop_at(url) as db:
            yield db

    @pytest.fixture(params=["blocking", "asyncio"])
    def execute(self, request: pytest.FixtureRequest, db: DataFlow) -> Iterator[Execute]:
        kept = db.run_store()
        if request.param == "blocking":

            def execute(workflow: Any, run_id: str, store: Any = kept) -> dict[str, Any]:
                return LocalRuntime(store=store).execute(workflow, run_id=run_id)[0]

            yield execute
        else:
            with asyncio.Runner() as runner:

                def execute_under_loop(workflow: Any, run_id: str, store: Any = kept) -> dict[str, Any]:
                    return runner.run(AsyncLocalRuntime(store=store).execute(workflow, run_id=run_id))[0]

                yield execute_under_loop
                runner.run(db.close_async())

    @pytest.fixture
    def failing(self) -> list[bool]:
        """Whether the payment fails, attempt by attempt."""
        return [True]

    def workflow(self, failing: list[bool], *, transaction: bool) -> WorkflowBuilder:
        def pay() -> dict[str, Any]:
            if failing and failing.pop():
                raise OSError("declined")
            return {"paid": True}

        workflow = WorkflowBuilder()
        workflow.add_node("ProductCreateNode", "first", {"sku": "A"})
        if transaction:
            workflow.add_node("TransactionStartNode", "txn")
        workflow.add_node("ProductCreateNode", "second", {"sku": "B"})
        workflow.add_node("ProductCountNode", "seen")
        workflow.add_node(pay, "pay")
        if transaction:
            workflow.add_node("TransactionCommitNode", "commit")
        return workflow

    def stored(self, db: DataFlow) -> list[str]:
        return [row["sku"] for row in db.express_sync.list("Product")]

    def test_a_step_that_was_done_is_not_repeated(self, db: DataFlow, execute: Execute, failing: list[bool]) -> None:
        workflow = self.workflow(failing, transaction=False)
        with pytest.raises(WorkflowExecutionError):
            execute(workflow, "r")
        assert self.stored(db) == ["A", "B"]

        results = execute(workflow, "r")

        assert self.stored(db) == ["A", "B"]
        assert (results["second"]["sku"], results["seen"]["count"], results["pay"]) == ("B", 2, {"paid": True})
        assert results["first"]["created_at"].tzinfo is not None

    def test_a_transaction_that_was_undone_is_repeated_whole(
        self, db: DataFlow, execute: Execute, failing: list[bool]
    ) -> None:
        workflow = self.workflow(failing, transaction=True)
        with pytest.raises(WorkflowExecutionError):
            execute(workflow, "r")
        assert self.stored(db) == ["A"]

        execute(workflow, "r")
        again = execute(workflow, "r")

        assert self.stored(db) == ["A", "B"]
        assert again["commit"]["committed"] is True

    def test_the_record_of_a_step_is_there_exactly_if_its_effect_is(self, db: DataFlow, execute: Execute) -> None:
        """The process ends right after the step's own commit: nothing else was written."""
        workflow = self.workflow([], transaction=False)

        with pytest.raises(KilledError):
            execute(workflow, "r", Dying(db.run_store()))

        assert self.stored(db) == ["A", "B"]
        execute(workflow, "r")
        assert self.stored(db) == ["A", "B"]

    def test_a_step_whose_record_cannot_be_written_did_not_happen(self, db: DataFlow, execute: Execute) -> None:
        db.run_store().begin(RECORD)
        with db.run_store().home.sync().ddl() as connection:
            connection.ask("ALTER TABLE dataflow_steps RENAME TO elsewhere")

        with pytest.raises(WorkflowExecutionError):
            execute(self.workflow([], transaction=False), "s")

        assert self.stored(db) == []


class Stores:
    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        with shop_at(url) as db:
            yield db

    def test_a_run_is_stored_with_its_steps_and_ends(self, db: DataFlow) -> None:
        store = db.run_store()

        assert store.begin(RECORD) == RECORD
        store.keep("r", [("a", b"1"), ("b", '"é\\u0000"'.encode())])
        store.keep("r", [("a", b"2"), ("c", b"3")])
        stored = store.begin(RECORD)

        assert stored.steps == {"a": b"1", "b": '"é\\u0000"'.encode(), "c": b"3"}
        assert [each.run_id for each in store.unfinished()] == ["r"]
        store.finish("r", "done")
        assert store.unfinished() == []
        assert [(each.run_id, each.status) for each in store.recent(1)] == [("r", "done")]

    def test_a_run_that_another_one_has_in_hand_is_left_to_it_until_it_lives_no_more(
        self, db: DataFlow, url: str
    ) -> None:
        db.run_store().begin(RECORD)
        with shop_at(url) as other:
            with pytest.raises(RunInProgressError):
                other.run_store().begin(RECORD)
            assert other.run_store().take_over({"n"}) == []

            db.run_store().close()
            assert other.run_store().take_over({"another"}) == []
            assert [each.run_id for each in other.run_store().take_over({"n"})] == ["r"]
            with pytest.raises(RunInProgressError):
                db.run_store().begin(RECORD)

    def test_ten_stores_may_begin_at_once_on_an_empty_database(self, url: str) -> None:
        faults: list[BaseException] = []

        def begin(number: int) -> None:
            with shop_at(url, migration_lock_timeout=300.0) as db:  # however slow the machine is
                try:
                    db.run_store().begin(replace(RECORD, run_id=f"r{number}"))
                except BaseException as fault:  # noqa: BLE001 - told by the assertion
                    faults.append(fault)

        threads = [threading.Thread(target=begin, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert faults == []

    def test_it_is_a_store_of_this_database(self, db: DataFlow) -> None:
        assert isinstance(db.run_store(), RunStore) and db.run_store() is db.run_store()
