"""The blocking executor of data plans: psycopg2 for PostgreSQL, sqlite3 for SQLite."""

from __future__ import annotations

from typing import TypeVar

from dataflow.effects import DataPlan
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sqlite import SqliteDatabase, required
from dataflow.executors.transaction import Engine, Transaction, perform
from dataflow.executors.url import DatabaseURL

T = TypeVar("T")


class SyncExecutor:
    """Runs data plans in the calling thread; any number of threads may share one."""

    def __init__(self, url: DatabaseURL, options: PoolOptions, shared: SqliteDatabase | None = None) -> None:
        """Open nothing yet. *shared*: what both executors of a SQLite database use (`sqlite.open_sqlite`)."""
        self._engine: Engine
        if url.dialect == "sqlite":
            database = required(shared, url, options)
            self._engine, self.close_engine = database, database.close
        else:
            from dataflow.executors.psycopg import PsycopgDatabase  # psycopg2: 18 ms

            server = PsycopgDatabase(url, options)
            self._engine, self.close_engine = server, server.close

    def run(self, plan: DataPlan[T], transaction: Transaction | None = None) -> T:
        """Run *plan* to its end and return its value; inside *transaction* where one is given.

        Raises: what the plan raises; database faults as errors of `dataflow.errors`.
        """
        return perform(plan, self._engine, transaction)

    def begin(self, isolation: str = "") -> Transaction:
        """Begin a transaction for several plans: "read committed", "repeatable read", "serializable"."""
        return Transaction(self._engine, isolation)

    def close(self) -> None:
        """Close the connections; those in use are closed when they come back."""
        self.close_engine()
