"""The asyncio executor of data plans: asyncpg for PostgreSQL, sqlite3 for SQLite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.effects import DataPlan
from dataflow.executors.atransaction import AsyncEngine, AsyncTransaction, aperform
from dataflow.executors.pool import PoolOptions
from dataflow.executors.url import DatabaseURL
from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow.executors import postgres, sqlite, sqlite_aio
else:
    sqlite = Late("dataflow.executors.sqlite")
    sqlite_aio = Late("dataflow.executors.sqlite_aio")
    postgres = Late("dataflow.executors.postgres")  # asyncpg: 50 ms

T = TypeVar("T")


class AsyncExecutor:
    """Runs data plans on the running event loop; any number of loops and tasks may share one."""

    def __init__(self, url: DatabaseURL, options: PoolOptions, shared: sqlite.SqliteDatabase | None = None) -> None:
        """Open nothing yet. *shared*: what both executors of a SQLite database use."""
        self._engine: AsyncEngine
        self._perform: Callable[[DataPlan[Any], AsyncTransaction | None], Awaitable[Any]]
        if url.dialect == "sqlite":
            database = sqlite_aio.AsyncSqliteDatabase(sqlite.required(shared, url, options))
            self._engine, self._perform = database, database.run
            self._close, self._aclose = database.close, database.aclose
            self._pools: Callable[[], Sequence[Any]] = tuple  # those of the blocking executor
            self._end_shared = None if shared else database.shared.close
        else:
            server = postgres.AsyncpgDatabase(url, options)
            self._engine, self._perform = server, lambda plan, within: aperform(plan, server, within)
            self._close, self._aclose = server.close, server.aclose
            self._pools = server.loops.values
            self._end_shared = None

    def run(self, plan: DataPlan[T], transaction: AsyncTransaction | None = None) -> Awaitable[T]:
        """Run *plan* to its end and return its value; inside *transaction* where one is given.

        Raises: what the plan raises; database faults as errors of `dataflow.errors`.
        """
        return self._perform(plan, transaction)

    async def begin(self, isolation: str = "") -> AsyncTransaction:
        """Begin a transaction for several plans: "read committed", "repeatable read", "serializable"."""
        return AsyncTransaction(self._engine, await self._engine.begin(isolation))

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections of its own there are, in all loops, and how many of them are idle."""
        pools = self._pools()
        return sum(pool.size for pool in pools), sum(pool.idle for pool in pools)

    async def aclose(self) -> None:
        """Close the connections of the running loop, and cut those of other loops."""
        await self._aclose()
        if self._end_shared is not None:
            self._end_shared()

    def close(self) -> None:
        """Cut all connections, where no loop runs."""
        self._close()
        if self._end_shared is not None:
            self._end_shared()
