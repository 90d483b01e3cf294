"""The suite of the steps of transactions, on PostgreSQL; and what only a server can do to them."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
import pytest

from dataflow import DataFlow
from kailash import WorkflowBuilder
from kailash.errors import WorkflowExecutionError
from suites import transaction_steps

CUT = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"  # ms: wait until it has ended
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"


def ask(url: str, sql: str) -> Any:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()[0][0]


class TestTransactionSteps(transaction_steps.TransactionSteps):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.mark.parametrize("at", ["before a write", "before the commit"])
    def test_a_lost_connection_undoes_everything(
        self, db: DataFlow, execute: transaction_steps.Execute, workflow: WorkflowBuilder, url: str, at: str
    ) -> None:
        def lose() -> dict[str, Any]:
            return {"lost": ask(url, CUT)}

        workflow.add_node(lose, "lose")
        if at == "before a write":
            workflow.add_node("ProductCreateNode", "late", {"sku": "C"})
        workflow.add_node("TransactionCommitNode", "commit")

        with pytest.raises(WorkflowExecutionError) as caught:
            execute(workflow)

        assert caught.value.node_id == ("late" if at == "before a write" else "commit")
        assert self.stocks(db) == {"A": 5}
        assert db.express_sync.update("Product", 1, {"stock": 6})["stock"] == 6
        assert ask(url, OPEN) == 0
