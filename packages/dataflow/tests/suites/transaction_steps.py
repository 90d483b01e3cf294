"""What the steps of transactions promise to a workflow; on any database, in both runtimes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import TransactionError
from kailash import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder
from kailash.context import Cancellation, Context
from kailash.errors import WorkflowExecutionError, WorkflowValidationError

Execute = Callable[..., dict[str, Any]]


def shop_at(url: str) -> DataFlow:
    db = DataFlow(url)

    @db.model
    class Product:
        sku: str
        stock: int = 0

        __indexes__ = [{"fields": ["sku"], "unique": True}]

    return db


def fails(amount: int = 0) -> dict[str, Any]:
    raise OSError("declined")


class TransactionSteps:
    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        with shop_at(url) as db:
            db.express_sync.create("Product", {"sku": "A", "stock": 5})
            yield db

    @pytest.fixture(params=["blocking", "asyncio"])
    def execute(self, request: pytest.FixtureRequest, db: DataFlow) -> Iterator[Execute]:
        if request.param == "blocking":
            yield lambda workflow, **more: LocalRuntime().execute(workflow, **more)[0]
        else:
            with asyncio.Runner() as runner:
                yield lambda workflow, **more: runner.run(AsyncLocalRuntime().execute(workflow, **more))[0]
                runner.run(db.close_async())

    @pytest.fixture
    def workflow(self, db: DataFlow) -> WorkflowBuilder:
        """Two changes in a transaction, which is open."""
        workflow = WorkflowBuilder()
        workflow.add_node("TransactionStartNode", "txn", {"isolation_level": "READ_COMMITTED"})
        workflow.add_node("ProductUpdateNode", "take", {"id": 1, "stock": {"$dec": 1}})
        workflow.add_node("ProductCreateNode", "new", {"sku": "B", "transaction_id": "$txn.id"})
        return workflow

    def stocks(self, db: DataFlow) -> dict[str, int]:
        return {row["sku"]: row["stock"] for row in db.express_sync.list("Product")}

    def test_what_is_committed_is_kept(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        workflow.add_node("TransactionCommitNode", "commit", {"transaction_id": "$txn.id", "rollback_on_error": True})

        results = execute(workflow)

        assert results["txn"]["id"] == results["txn"]["transaction_id"] == results["commit"]["id"]
        assert (results["commit"]["status"], results["commit"]["committed"]) == ("committed", True)
        assert self.stocks(db) == {"A": 4, "B": 0}

    def test_a_failing_step_undoes_everything(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        workflow.add_node(fails, "pay")
        workflow.add_node("TransactionCommitNode", "commit")

        with pytest.raises(WorkflowExecutionError, match="pay"):
            execute(workflow)

        assert self.stocks(db) == {"A": 5}

    def test_a_failure_that_is_let_pass_undoes_everything_too(
        self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder
    ) -> None:
        workflow.add_node(fails, "pay", on_error="continue")
        workflow.add_node("TransactionCommitNode", "commit")

        results = execute(workflow)

        assert (results["commit"]["status"], results["commit"]["committed"]) == ("rolled_back", False)
        assert self.stocks(db) == {"A": 5}

    def test_unless_the_author_wants_otherwise(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        workflow.add_node(fails, "pay", on_error="continue")
        workflow.add_node("TransactionCommitNode", "commit", {"rollback_on_error": False})

        assert execute(workflow)["commit"]["committed"] is True
        assert self.stocks(db) == {"A": 4, "B": 0}

    def test_a_failed_statement_cannot_be_committed(
        self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder
    ) -> None:
        workflow.add_node("ProductCreateNode", "again", {"sku": "A"}, on_error="continue")
        workflow.add_node("TransactionCommitNode", "commit", {"rollback_on_error": False})

        with pytest.raises(WorkflowExecutionError, match="only be rolled back"):
            execute(workflow)

        assert self.stocks(db) == {"A": 5}

    def test_it_can_be_rolled_back(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        workflow.add_node("TransactionRollbackNode", "undo", {"transaction_id": "$txn.id", "reason": "no stock"})
        workflow.add_node("ProductCreateNode", "after", {"sku": "C"})

        results = execute(workflow)

        assert (results["undo"]["rolled_back"], results["undo"]["reason"]) == (True, "no stock")
        assert self.stocks(db) == {"A": 5, "C": 0}

    def test_a_run_that_forgets_to_commit_is_told_so(
        self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder
    ) -> None:
        with pytest.raises(TransactionError, match="TransactionCommitNode"):
            execute(workflow)

        assert self.stocks(db) == {"A": 5}

    def test_a_branch_decides(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        workflow.add_node(
            "ConditionalNode",
            "enough",
            {"condition": "$take.stock > 10", "true_branch": "commit", "false_branch": "undo"},
        )
        workflow.add_node("TransactionCommitNode", "commit")
        workflow.add_node("TransactionRollbackNode", "undo")

        results = execute(workflow)

        assert "commit" not in results
        assert self.stocks(db) == {"A": 5}

    def test_a_nested_one_ends_by_itself(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        workflow.add_node("TransactionScopeNode", "inner")
        workflow.add_node("ProductUpdateNode", "lost", {"id": 1, "stock": 99})
        workflow.add_node("TransactionRollbackNode", "undo", {"transaction_id": "$inner.id"})
        workflow.add_node("TransactionCommitNode", "commit", {"transaction_id": "$txn.id"})

        execute(workflow)

        assert self.stocks(db) == {"A": 4, "B": 0}

    def test_savepoints_are_gone_back_to_by_name(
        self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder
    ) -> None:
        workflow.add_node("TransactionSavepointNode", "mark", {"name": "before"})
        workflow.add_node("ProductUpdateNode", "lost", {"id": 1, "stock": 99})
        workflow.add_node("TransactionRollbackNode", "back", {"savepoint": "before"})
        workflow.add_node("ProductUpdateNode", "lost_too", {"id": 1, "stock": 98})
        workflow.add_node("TransactionRollbackNode", "back_again", {"savepoint": "before"})
        workflow.add_node("ProductCreateNode", "kept", {"sku": "C"})
        workflow.add_node("TransactionCommitNode", "commit", {"transaction_id": "$txn.id"})

        execute(workflow)

        assert self.stocks(db) == {"A": 4, "B": 0, "C": 0}

    def test_reads_side_by_side_share_the_connection(
        self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder
    ) -> None:
        for number in range(10):
            workflow.add_node("ProductCountNode", f"count{number}")
        workflow.add_node("TransactionCommitNode", "commit")

        results = execute(workflow)

        assert [results[f"count{number}"]["count"] for number in range(10)] == [2] * 10

    def test_what_an_authors_function_does_joins(
        self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder
    ) -> None:
        def blocking() -> dict[str, Any]:
            db.express_sync.create("Product", {"sku": "C"})
            return {"seen": db.express_sync.count("Product")}

        async def awaiting() -> dict[str, Any]:
            await db.express.create("Product", {"sku": "D"})
            return {"seen": await db.express.count("Product")}

        workflow.add_node(blocking, "blocking")
        workflow.add_node(awaiting, "awaiting")
        workflow.add_node(fails, "pay", on_error="continue")
        workflow.add_node("TransactionCommitNode", "commit")

        results = execute(workflow)

        assert (results["blocking"]["seen"], results["awaiting"]["seen"]) == (3, 4)
        assert self.stocks(db) == {"A": 5}

    def test_ids_that_are_not_open_are_refused(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        workflow.add_node("TransactionCommitNode", "commit")
        workflow.add_node("ProductCreateNode", "late", {"sku": "C", "transaction_id": "$txn.id"})

        with pytest.raises(WorkflowExecutionError, match="late"):
            execute(workflow)
        assert self.stocks(db) == {"A": 4, "B": 0}

        alone = WorkflowBuilder()
        alone.add_node("TransactionCommitNode", "commit")
        with pytest.raises(WorkflowExecutionError, match="TransactionStartNode"):
            execute(alone)

    def test_an_unknown_level_is_a_build_error(self, db: DataFlow) -> None:
        workflow = WorkflowBuilder()
        workflow.add_node("TransactionStartNode", "txn", {"isolation_level": "SERIALISABLE"})

        with pytest.raises(WorkflowValidationError, match="serializable"):
            workflow.build()

    def test_a_timeout_undoes_everything(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        async def hang() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {}

        workflow.add_node(hang, "pay", timeout=0.05)
        workflow.add_node("TransactionCommitNode", "commit")

        with pytest.raises(WorkflowExecutionError, match="pay"):
            execute(workflow)

        assert self.stocks(db) == {"A": 5}
        assert db.express_sync.update("Product", 1, {"stock": 6})["stock"] == 6

    def test_a_cancelled_run_undoes_everything(self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder) -> None:
        cancellation = Cancellation()

        def cancel() -> dict[str, Any]:
            cancellation.request()
            return {}

        workflow.add_node(cancel, "cancel")
        workflow.add_node("TransactionCommitNode", "commit")

        with pytest.raises(WorkflowExecutionError, match="cancelled"):
            execute(workflow, context=Context(cancellation=cancellation))

        assert self.stocks(db) == {"A": 5}

    def test_a_run_in_a_transaction_of_the_program_is_part_of_it(self, db: DataFlow, workflow: WorkflowBuilder) -> None:
        workflow.add_node("TransactionCommitNode", "commit")

        with pytest.raises(ZeroDivisionError), db.transaction_sync():
            LocalRuntime().execute(workflow)
            raise ZeroDivisionError

        assert self.stocks(db) == {"A": 5}

    def test_another_database_is_refused_instead_of_left_out(
        self, db: DataFlow, execute: Execute, workflow: WorkflowBuilder
    ) -> None:
        with DataFlow("sqlite:///:memory:") as other:

            @other.model
            class Invoice:
                total: int

            workflow.add_node("InvoiceCreateNode", "invoice", {"total": 1})
            workflow.add_node("TransactionCommitNode", "commit")
            with pytest.raises(WorkflowExecutionError, match="another database"):
                execute(workflow)

        assert self.stocks(db) == {"A": 5}
