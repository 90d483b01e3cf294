"""PostgreSQL through asyncpg: for each event loop a bounded pool of connections, kept by ourselves.

asyncpg's own pool asks the server to reset each connection that comes back, which costs a round trip, and wraps each
in a proxy. Our statements leave no state in a session (transaction-local settings only), so neither is needed:
taking and giving back costs a fraction of a microsecond instead of 17 with its pool and a reset that does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from dataflow.effects import Load, Query, Repeat, Rows
from dataflow.errors import ConstraintError, DatabaseError, DatabaseUnavailableError
from dataflow.executors import faults
from dataflow.executors.atransaction import AsyncSession
from dataflow.executors.compiled import Compiled, Compiler
from dataflow.executors.forks import after_fork
from dataflow.executors.loading import Loadings
from dataflow.executors.pool import LINGER, PoolOptions
from dataflow.executors.transaction import begin_statement
from dataflow.executors.url import DatabaseURL
from dataflow.loops import PerLoop
from kailash._undo import Undoing

R = TypeVar("R")

STATEMENTS: Final = 500  # prepared statements kept by each connection; arbitrary: all shapes of an ordinary program
RECOVERY: Final = 5.0  # seconds for a cancelled statement to end; arbitrary: then the connection is cut
CLOSING: Final = 5.0  # seconds for a connection to say goodbye
DRIVER_FAULTS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class AsyncpgSession:
    """One connection of asyncpg."""

    __slots__ = ("_compiler", "_execute", "_fetch", "_loadings", "born", "connection", "doubtful", "freed", "known")

    def __init__(self, connection: asyncpg.Connection, compiler: Compiler, loadings: Loadings) -> None:
        self.connection = connection
        self._fetch, self._execute = connection.fetch, connection.execute
        self._compiler = compiler
        self._loadings = loadings
        self.known = compiler.known
        self.doubtful = False  # a statement is under way, or was cut off: the server may still be at it
        self.born = self.freed = time.monotonic()

    def usable(self) -> bool:
        """Whether it is connected."""
        return not self.connection.is_closed()

    def settled(self) -> bool:
        """Whether it is connected, outside any transaction and not in doubt."""
        return not (self.doubtful or self.connection.is_closed() or self.connection.is_in_transaction())

    async def query(self, effect: Query) -> Rows:
        """Run one statement."""
        return await self.run(self.known.get(effect.shape) or self._compiler.compile(effect), effect.values)

    async def run(self, compiled: Compiled, values: Any) -> Rows:
        """Run a compiled statement."""
        self.doubtful = True
        try:
            if compiled.rows is None:
                touched = _count(await self._execute(compiled.sql, *compiled.arguments(values)))
                self.doubtful = False
                return Rows([], touched)
            found = await self._fetch(compiled.sql, *compiled.arguments(values))
        except DRIVER_FAULTS as fault:
            self.doubtful = False
            raise self._translated(fault, compiled.table) from fault
        self.doubtful = False
        items = compiled.rows(found, values)
        return Rows(items, len(items))

    async def load(self, effect: Load) -> int:
        """Store many records by COPY, all or none."""
        loading = self._loadings.find(effect)
        if loading.create:
            await self.command(loading.create)
        copied = self.connection.copy_records_to_table(
            loading.name,
            records=loading.encode(effect.records),
            columns=loading.columns,
            schema_name=loading.schema,
        )
        await self._guarded(copied, loading.table)
        return len(effect.records)

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for each record; the caller has begun a transaction."""
        compiled = self._compiler.compile_repeat(effect)
        touched = 0
        for arguments in compiled.arguments(effect.records):
            touched += _count(await self._guarded(self._execute(compiled.sql, *arguments), compiled.table))
        return touched

    async def command(self, sql: str) -> None:
        """Run a statement without arguments or rows."""
        await self._guarded(self._execute(sql), None)

    async def finish(self) -> None:
        """PostgreSQL drops the tables of a transaction itself."""

    async def _guarded(self, question: Awaitable[R], table: Any) -> R:
        self.doubtful = True
        try:
            reply = await question
        except DRIVER_FAULTS as fault:
            self.doubtful = False
            raise self._translated(fault, table) from fault
        self.doubtful = False
        return reply

    def _translated(self, fault: BaseException, table: Any) -> Exception:
        if self.connection.is_closed() or isinstance(fault, OSError):
            return DatabaseUnavailableError(faults.LOST)
        if isinstance(fault, asyncpg.PostgresError):
            return faults.of_sqlstate(fault.sqlstate, table, constraint=fault.constraint_name, column=fault.column_name)
        if isinstance(fault, asyncpg.DataError | ValueError):
            return ConstraintError("a value does not fit its column")
        return DatabaseError("the database driver refused the statement")


class LoopPool:
    """The connections of one event loop: last in, first out; waiters are served in order."""

    def __init__(
        self, connect: Callable[[], Awaitable[AsyncpgSession]], options: PoolOptions, guard: AsyncGenerator[None, None]
    ) -> None:
        self._connect = connect
        self._guard: AsyncGenerator[None, None] | None = guard
        self._guarded = False
        self._kept, self._limit = options.kept, options.limit
        self._recycle, self._timeout = options.pool_recycle, options.pool_timeout
        self._idle: list[AsyncpgSession] = []
        self._waiters: deque[asyncio.Future[AsyncpgSession | None]] = deque()
        self._recoveries: set[asyncio.Task[None]] = set()
        self._closed = False
        self.size = 0

    @property
    def idle(self) -> int:
        """Connections that wait to be used."""
        return len(self._idle)

    def poll(self) -> AsyncpgSession | None:
        """Return a connection that is free at once, unless others wait for one."""
        while self._idle and not self._waiters:
            session = self._idle.pop()
            if session.usable() and (self._recycle is None or time.monotonic() - session.born < self._recycle):
                return session
            self.drop(session)
        return None

    async def take(self) -> AsyncpgSession:
        """Return a connection, made if need be; wait for one at the limit.

        Raises: DatabaseUnavailableError when none is free in time, or none can be made.
        """
        session = self.poll()
        if session is not None:
            return session
        if self.size < self._limit:
            self.size += 1
            return await self._make()
        session = await self._wait()
        if session is None:
            return await self._make()
        if session.usable():
            return session
        _terminate(session)
        return await self._make()

    def give(self, session: AsyncpgSession) -> None:
        """Give back a settled connection."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(session)
                return
        if self._closed or (self.size > self._kept and self._thin(session)):
            self.drop(session)
            return
        self._idle.append(session)

    def end(self, session: AsyncpgSession) -> None:
        """Give back a connection in whatever state it is."""
        if session.settled():
            self.give(session)
        elif session.usable() and not self._closed:
            recovery = asyncio.get_running_loop().create_task(self._recover(session))
            self._recoveries.add(recovery)
            recovery.add_done_callback(self._recoveries.discard)
        else:
            self.drop(session)

    def drop(self, session: AsyncpgSession) -> None:
        """Cut a connection; a waiter may have another made."""
        _terminate(session)
        self._forget()

    async def aclose(self) -> None:
        """Close what is idle now, and what is held when it comes back."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(DatabaseUnavailableError("the connections of this database are closed"))
        self._waiters.clear()
        if self._recoveries:
            await asyncio.wait(self._recoveries)
        idle, self._idle = self._idle, []
        self.size -= len(idle)
        await asyncio.gather(*[_say_goodbye(session) for session in idle])
        await asyncio.sleep(0)  # the transports of cut connections are closed by the loop's next run, perhaps its last
        guard, self._guard = self._guard, None
        if guard is not None:
            with contextlib.suppress(RuntimeError):  # it is this guard that closes us
                await guard.aclose()

    def discard(self) -> None:
        """Cut all connections; the loop may be gone.

        A transport of a closed loop cannot be closed; its socket is when the transport is collected, and with a
        warning, since it stands in a circle. Both happen here and now, once for each loop that ended so.
        """
        self._closed, self._guard = True, None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            lost = False
            while self._idle:
                lost = not _terminate(self._idle.pop()) or lost
            if lost:
                gc.collect()

    async def _make(self) -> AsyncpgSession:
        if not self._guarded and self._guard is not None:
            self._guarded = True
            await anext(self._guard)
        with Undoing(self._forget):
            return await self._connect()

    async def _wait(self) -> AsyncpgSession | None:
        waiter: asyncio.Future[AsyncpgSession | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            with Undoing(lambda: self._leave(waiter)):
                async with asyncio.timeout(self._timeout):
                    return await waiter
        except TimeoutError:
            raise DatabaseUnavailableError(
                f"no connection became free in {self._timeout:g} seconds; all {self._limit} are in use",
                hint="end transactions sooner, or raise pool_size or max_overflow",
            ) from None

    def _leave(self, waiter: asyncio.Future[AsyncpgSession | None]) -> None:
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            granted = waiter.result()  # in this very moment
            if granted is None:
                self._forget()
            else:
                self.give(granted)
        elif waiter in self._waiters:
            self._waiters.remove(waiter)

    async def _recover(self, session: AsyncpgSession) -> None:
        """Wait until the server has given up what was cancelled, leave any transaction, and give back."""
        try:
            with Undoing(lambda: self.drop(session)):
                async with asyncio.timeout(RECOVERY):
                    await session.connection.execute("ROLLBACK")
        except (*DRIVER_FAULTS, TimeoutError):
            return
        session.doubtful = False
        if session.settled():
            self.give(session)
        else:
            self.drop(session)

    def _forget(self) -> None:
        """One is gone: its place goes to the first waiter, who makes another."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.size -= 1

    def _thin(self, session: AsyncpgSession) -> bool:
        """Whether a connection beyond the kept number has no use any more."""
        session.freed = time.monotonic()
        return bool(self._idle) and session.freed - self._idle[0].freed > LINGER


class AsyncpgDatabase:
    """One PostgreSQL database as event loops reach it."""

    def __init__(self, url: DatabaseURL, options: PoolOptions) -> None:
        self._options = options
        self._arguments = {"timeout": options.connect_timeout, "statement_cache_size": STATEMENTS}
        self._arguments |= {"max_cached_statement_lifetime": 0} | url.asyncpg_arguments()
        self.compiler = Compiler("asyncpg", echo=options.echo)
        self._loadings = Loadings(self.compiler, "asyncpg")
        self.known = self.compiler.known
        self.loops: PerLoop[LoopPool] = PerLoop(self._pool)
        self._inherited: list[LoopPool] = []
        after_fork(self)

    def forked(self) -> None:
        """Begin anew in a child process: what the parent holds is neither used nor closed."""
        self._inherited += self.loops.abandon()

    async def query(self, effect: Query) -> Rows:
        """Run one statement that commits by itself; a read whose connection was dead is asked once more."""
        compiled = self.known.get(effect.shape) or self.compiler.compile(effect)
        pool = self.loops.current()
        session = pool.poll() or await pool.take()
        try:
            try:
                return await session.run(compiled, effect.values)
            finally:
                pool.end(session)
        except DatabaseUnavailableError:
            if compiled.writes or session.usable():
                raise
        session = await pool.take()
        try:
            return await session.run(compiled, effect.values)
        finally:
            pool.end(session)

    async def load(self, effect: Load) -> int:
        """Store many records, all or none."""
        pool = self.loops.current()
        session = pool.poll() or await pool.take()
        try:
            return await session.load(effect)
        finally:
            pool.end(session)

    async def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records, all or none."""
        session = await self.begin("")
        try:
            touched = await session.repeat(effect)
            await session.command("COMMIT")
        finally:
            self.end(session)
        return touched

    async def begin(self, isolation: str) -> AsyncSession:
        """Take a connection and begin."""
        begin, pool = begin_statement(isolation), self.loops.current()
        session = pool.poll() or await pool.take()
        try:
            with Undoing(lambda: pool.end(session)):
                await session.command(begin)
        except DatabaseUnavailableError:
            if session.usable():
                raise
        else:
            return session
        session = await pool.take()  # nothing was begun: a dead connection is replaced once
        with Undoing(lambda: pool.end(session)):
            await session.command(begin)
        return session

    def end(self, session: AsyncSession) -> None:
        """Give back a connection; one that is in doubt or still in a transaction is rolled back first."""
        assert isinstance(session, AsyncpgSession)
        self.loops.current().end(session)

    async def aclose(self) -> None:
        """Close all connections of the running loop, and cut those of other loops."""
        await self.loops.aclose()

    def close(self) -> None:
        """Cut all connections."""
        self.loops.close()

    def _pool(self, loop: asyncio.AbstractEventLoop) -> LoopPool:
        return LoopPool(self._open, self._options, self.loops.until_shutdown())

    async def _open(self) -> AsyncpgSession:
        try:
            connection = await asyncpg.connect(**self._arguments)
        except (*DRIVER_FAULTS, TimeoutError) as fault:
            raise DatabaseUnavailableError(faults.UNREACHED, hint=faults.REACH) from fault
        except ValueError as fault:
            raise DatabaseUnavailableError("the database URL was refused by its driver") from fault
        return AsyncpgSession(connection, self.compiler, self._loadings)


async def _say_goodbye(session: AsyncpgSession) -> None:
    try:
        await session.connection.close(timeout=CLOSING)
    except (*DRIVER_FAULTS, TimeoutError):
        _terminate(session)


def _terminate(session: AsyncpgSession) -> bool:
    """Cut a connection; False: its loop is closed, and it is not done yet."""
    try:
        session.connection.terminate()
    except DRIVER_FAULTS:
        pass
    except RuntimeError:  # of asyncio: "Event loop is closed"
        return False
    return True


def _count(status: str) -> int:
    """``INSERT 0 3``, ``UPDATE 3``, ``CREATE TABLE`` -> rows touched."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdigit() else 0
