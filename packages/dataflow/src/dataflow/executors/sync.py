"""The blocking executor of data plans: psycopg2 for PostgreSQL, sqlite3 for SQLite."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from dataflow.effects import DataPlan
from dataflow.executors.alive import Life
from dataflow.executors.ddl import DDLConnection
from dataflow.executors.pool import PoolOptions
from dataflow.executors.transaction import Transaction, perform
from dataflow.executors.url import DatabaseURL
from dataflow.executors.watching import Watch
from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow.executors import psycopg, sqlite
else:
    sqlite = Late("dataflow.executors.sqlite")  # sqlite3
    psycopg = Late("dataflow.executors.psycopg")  # psycopg2: 18 ms

T = TypeVar("T")


class SyncExecutor:
    """Runs data plans in the calling thread; any number of threads may share one."""

    def __init__(self, url: DatabaseURL, options: PoolOptions, shared: sqlite.SqliteDatabase | None = None) -> None:
        """Open nothing yet. *shared*: what both executors of a SQLite database use."""
        self._engine: sqlite.SqliteDatabase | psycopg.PsycopgDatabase
        if url.dialect == "sqlite":
            self._engine = sqlite.required(shared, url, options)
        else:
            self._engine = psycopg.PsycopgDatabase(url, options)

    def run(self, plan: DataPlan[T], transaction: Transaction | None = None) -> T:
        """Run *plan* to its end and return its value; inside *transaction* where one is given.

        Raises: what the plan raises; database faults as errors of `dataflow.errors`.
        """
        return perform(plan, self._engine, transaction)

    def begin(self, isolation: str = "") -> Transaction:
        """Begin a transaction for several plans: "read committed", "repeatable read", "serializable"."""
        return Transaction(self._engine, isolation)

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections there are, and how many of them are idle."""
        return self._engine.pool.size, self._engine.pool.idle

    def ping(self) -> None:
        """Ask the database for a sign of life. Raises: DatabaseUnavailableError."""
        with self.ddl() as connection:
            connection.ask("SELECT 1")

    def ddl(self) -> DDLConnection:
        """Return a connection for the schema's work (`dataflow.schema`), as a context manager."""
        return self._engine.ddl()

    def watch(self, changed: Callable[[str], None]) -> Watch:
        """Return what hears of the writes of others (`executors.watching`); *changed*: as there."""
        return self._engine.watch(changed)

    def live(self, owner: str) -> Life:
        """Hold a lock of that name until it is closed or this process ends."""
        return self._engine.live(owner)

    def free(self, owner: str) -> Life | None:
        """Hold a lock of that name until it is closed or this process ends; None where somebody holds it."""
        return self._engine.free(owner)

    def lives(self, owner: str) -> bool:
        """Whether somebody holds the lock of that name."""
        return self._engine.lives(owner)

    def close(self) -> None:
        """Close the connections; those in use are closed when they come back. What runs later opens new ones."""
        self._engine.close()
