"""SQLite through the standard library, blocking: connections, their settings, and the turn to write.

A file is in WAL mode: readers see the last commit and never wait; writers of this process take turns in order, and
those of other processes wait for SQLite's own lock (``busy_timeout``). A database in memory is one connection for
every user of the process, one at a time.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from dataflow.effects import Load, Query, Repeat, Rows, Told
from dataflow.executors import sqlite_faults, sqlite_functions
from dataflow.executors.alive import Life, Nothing
from dataflow.executors.compiled import Compiled, Compiler
from dataflow.executors.ddl import DDLConnection
from dataflow.executors.forks import after_fork
from dataflow.executors.loading import Loading, Loadings
from dataflow.executors.pool import Pool, PoolOptions
from dataflow.executors.sqlite_settings import set_up
from dataflow.executors.sqlite_watch import FileWatch
from dataflow.executors.transaction import Session, checked_isolation
from dataflow.executors.url import DatabaseURL
from dataflow.executors.watching import Unshared, Watch
from dataflow.ledger.spelling import FUNCTION, OWN, quoted
from kailash._alive import LockedFile, file_lives, free_file
from kailash._undo import Undoing
from kailash.errors import ConfigurationError

BUSY: Final = 30.0  # seconds that a writer waits for another process; the seeds' lock timeout
STATEMENTS: Final = 1024  # prepared statements kept by each connection; arbitrary: all shapes of an ordinary program
SEVERAL: Final = 100  # rows from which triggers cost more (4 microseconds each) than to drop and make them again
LAST_ROW: Final = 2**63 - 1  # after it SQLite takes any free number: https://sqlite.org/autoinc.html
log = logging.getLogger("dataflow.sql")


class SqliteSession:
    """One connection of sqlite3, in autocommit mode."""

    __slots__ = (
        "_compiler", "_execute", "_hushed", "_leftover", "_loadings", "_own", "_tellers", "_told", "born", "connection",
        "freed", "known",
    )  # fmt: skip

    def __init__(self, connection: sqlite3.Connection, compiler: Compiler, loadings: Loadings) -> None:
        self.connection = connection
        self._execute = connection.execute
        self._compiler = compiler
        self._loadings = loadings
        self.known = compiler.known
        self._leftover: list[str] = []
        self._told: list[Any] = []  # what the triggers of this connection ask for
        self._tellers: set[tuple[str, ...]] = set()  # the triggers that it has
        self._own: set[str] | None = None  # what the triggers of tables need not tell, as these do; None: not asked yet
        self._hushed = False
        self.born = self.freed = time.monotonic()

    def usable(self) -> bool:
        """A file does not hang up."""
        return True

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def query(self, effect: Query) -> Rows:
        """Run one statement."""
        if effect.told is not None:
            self.tell(effect.told)
        return self.run(self.known.get(effect.shape) or self._compiler.compile(effect), effect.values)

    def tell(self, told: Told) -> None:
        """Have what is written from here on told as *told* says; its triggers are made at the first."""
        if told.triggers not in self._tellers:
            if not self._told:
                self.connection.create_function(FUNCTION, 1, self._told.__getitem__)
            for trigger in told.triggers:
                self.command(trigger)
            self._tellers.add(told.triggers)
            self._answering().update(told.own)
        self._told[:] = (*told.values, None)
        self._hushed = False

    def hush(self) -> None:
        """Tell nothing until the next write that is to be told: the schema's work is none of a user's."""
        self._told[-1:] = [True] if self._told else []
        self._answering()
        self._hushed = True

    def _answering(self) -> set[str]:
        """Return what this connection tells of; from now on it answers the triggers of the tables, which ask."""
        if self._own is None:
            self._own = set()
            self.connection.execute("PRAGMA trusted_schema = ON")  # some builds let no table ask for a function
            self.connection.create_function(OWN, 1, self._tells)
        return self._own

    def _tells(self, asked: str) -> bool:
        """Whether the triggers of a table may leave it to this connection; any other question is SQLite's own."""
        if not str(asked).startswith("dataflow_"):
            return sqlite_functions.compiled_with(asked)
        return self._hushed or asked in (self._own or ())

    def forget_tellers(self) -> None:
        """Make the triggers again before the next write: a rollback or a change of the schema may have taken them."""
        self._tellers.clear()
        self._hushed = False
        if self._own:
            self._own.clear()
            self._told[-1:] = [True]  # those that are still there would tell what the tables do

    def run(self, compiled: Compiled, values: Any) -> Rows:
        """Run a compiled statement."""
        try:
            cursor = self._execute(compiled.sql, compiled.arguments(values))
            if compiled.rows is None:
                return Rows([], max(cursor.rowcount, 0))
            found = cursor.fetchall()  # to the end: a statement that returns rows commits at its last one
        except sqlite3.Error as fault:
            raise sqlite_faults.translated(fault, compiled.table) from fault
        items = compiled.rows(found, values)
        return Rows(items, len(items))

    def load(self, effect: Load) -> int:
        """Store many records; the caller has begun a transaction."""
        if effect.told is not None:
            self.tell(effect.told)
        loading = self._loadings.find(effect)
        if loading.create:
            self.command(loading.drop)  # of an earlier plan of this transaction
            self.command(loading.create)
            self._leftover.append(loading.drop)
        told = effect.told
        if told is not None and told.loads and (last := self._last_row(loading, effect)) is not None:
            self._load_told(loading, effect, told, last)
        else:
            self._many(loading.insert, loading.encode(effect.records), loading.table)
        return len(effect.records)

    def _load_told(self, loading: Loading, effect: Load, told: Told, last: int) -> None:
        """Store many records and tell of them as a whole: those after the row number *last*.

        Triggers that have nothing to say still cost more than storing a row, so for many rows they go meanwhile. A
        failure takes the transaction back, and `command` has them made again.
        """
        away = len(effect.records) > SEVERAL
        self._told[-1] = True
        for drop in told.triggers[::2] if away else ():
            self.command(drop)
        self._many(loading.insert, loading.encode(effect.records), loading.table)
        for statement in told.loads:
            self._many(statement, [(*told.values, last)], None)
        for make in told.triggers[1::2] if away else ():
            self.command(make)
        self._told[-1] = None

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for each record; the caller has begun a transaction."""
        if effect.told is not None:
            self.tell(effect.told)
        compiled = self._compiler.compile_repeat(effect)
        return self._many(compiled.sql, compiled.arguments(effect.records), compiled.table)

    def command(self, sql: str) -> None:
        """Run a statement without arguments or rows."""
        if sql.startswith("ROLLBACK"):
            self.forget_tellers()
        try:
            self._execute(sql)
        except sqlite3.Error as fault:
            raise sqlite_faults.translated(fault) from fault

    def finish(self) -> None:
        """Drop the tables that were made for this transaction."""
        while self._leftover:
            self.command(self._leftover.pop())

    def atomic(self, effect: Load | Repeat) -> int:
        """Answer *effect* in a transaction of its own."""
        self.command("BEGIN IMMEDIATE")
        with Undoing(self.roll_back):
            count = self.load(effect) if isinstance(effect, Load) else self.repeat(effect)
            self.finish()
            self.command("COMMIT")
        return count

    def roll_back(self) -> None:
        """Leave any transaction; never raises."""
        self.forget_tellers()
        try:
            if self.connection.in_transaction:
                self._execute("ROLLBACK")
        except sqlite3.Error:
            log.debug("a transaction could not be rolled back; its connection is closed")

    def left(self) -> bool:
        """Whether it is outside any transaction, as it must be to be given back."""
        self._leftover.clear()
        try:
            return not self.connection.in_transaction
        except sqlite3.Error:  # closed
            return False

    def _last_row(self, loading: Loading, effect: Load) -> int | None:
        """Return the row number that those of a load come after; None where they may be any."""
        try:
            last = self._execute(f"SELECT coalesce(max(rowid), 0) FROM main.{quoted(loading.name)}").fetchone()[0]
        except sqlite3.OperationalError:  # a view, or a table without row numbers
            return None
        if "id" in effect.fields and effect.records:
            at = effect.fields.index("id")
            given = [record[at] for record in effect.records if isinstance(record[at], int)]  # row numbers
            if given and min(given) <= last:
                return None
        return int(last) if last < LAST_ROW else None

    def _many(self, sql: str, records: Any, table: Any) -> int:
        try:
            return max(self.connection.executemany(sql, records).rowcount, 0)
        except sqlite3.Error as fault:
            raise sqlite_faults.translated(fault, table) from fault


class Held:
    """One connection as the engine of a plan, for a user that holds it and the turn to write."""

    __slots__ = ("_session", "query")

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self.query = session.query

    def load(self, effect: Load) -> int:
        """Store many records, all or none."""
        return self._session.atomic(effect)

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records, all or none."""
        return self._session.atomic(effect)

    def begin(self, isolation: str) -> Session:
        """Begin; SQLite's transactions are serializable whatever is asked for."""
        self._session.command("BEGIN IMMEDIATE")
        return self._session

    def end(self, session: Session) -> None:
        """The connection stays with its holder."""


class Turn:
    """The turn to write: the only thing in a pool of one."""

    born = freed = math.inf

    def usable(self) -> bool:
        """It never wears out."""
        return True

    def close(self) -> None:
        """Nothing to end."""


TURN: Final = Turn()


class SqliteDatabase:
    """One SQLite database as blocking connections reach it; shared by both executors and the schema's."""

    def __init__(self, url: DatabaseURL, options: PoolOptions) -> None:
        self.memory = url.memory
        self._path = url.path or ":memory:"
        self.busy = float(url.options.get("timeout", BUSY))
        self.compiler = Compiler("sqlite", echo=options.echo)
        self._loadings = Loadings(self.compiler, "sqlite")
        self.known = self.compiler.known
        one = PoolOptions(pool_size=1, max_overflow=0, pool_timeout=options.pool_timeout)
        self.pool: Pool[SqliteSession] = Pool(self.connect, one if self.memory else options)
        self.turn: Pool[Turn] = Pool(lambda: TURN, one, what="turn to write")
        self._inherited: list[SqliteSession] = []
        after_fork(self)

    def forked(self) -> None:
        """Begin anew in a child process; a database in memory is the child's own copy."""
        self.turn.abandon()
        if not self.memory:
            self._inherited += self.pool.abandon()

    def query(self, effect: Query) -> Rows:
        """Run one statement that commits by itself."""
        compiled = self.known.get(effect.shape) or self.compiler.compile(effect)
        if compiled.writes and not self.memory:
            return self._write(compiled, effect)
        session = self.pool.take()
        try:
            if effect.told is not None:
                session.tell(effect.told)
            return session.run(compiled, effect.values)
        finally:
            self.pool.give(session)

    def _write(self, compiled: Compiled, effect: Query) -> Rows:
        turn = self.turn.take()
        try:
            session = self.pool.take()
            try:
                if effect.told is not None:
                    session.tell(effect.told)
                return session.run(compiled, effect.values)
            finally:
                self.pool.give(session)
        finally:
            self.turn.give(turn)

    def load(self, effect: Load) -> int:
        """Store many records, all or none."""
        return self._atomic(effect)

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records, all or none."""
        return self._atomic(effect)

    def begin(self, isolation: str) -> SqliteSession:
        """Take the turn to write and begin; SQLite's transactions are serializable whatever is asked for."""
        if isolation:
            checked_isolation(isolation)
        if self.memory:
            return self.begin_in_turn()
        turn = self.turn.take()
        with Undoing(lambda: self.turn.give(turn)):
            return self.begin_in_turn()

    def begin_in_turn(self) -> SqliteSession:
        """Begin, for a caller that has the turn."""
        session = self.pool.take()
        with Undoing(lambda: self.pool.give(session)):
            session.command("BEGIN IMMEDIATE")
        return session

    def end(self, session: Session) -> None:
        """Give back the connection and the turn."""
        assert isinstance(session, SqliteSession)
        self.put(session)
        if not self.memory:
            self.turn.give(TURN)

    def put(self, session: SqliteSession) -> None:
        """Give back a connection; one that is still in a transaction is closed."""
        if session.left():
            self.pool.give(session)
        else:
            self.pool.drop(session)

    def connect(self) -> SqliteSession:
        """Open a connection and set it up. Raises: DatabaseUnavailableError."""
        try:
            connection = sqlite3.connect(
                self._path,
                isolation_level=None,  # autocommit: we say BEGIN ourselves
                check_same_thread=False,  # a pool hands it from thread to thread, to one at a time
                cached_statements=STATEMENTS,
                timeout=self.busy,
            )
            with Undoing(connection.close):
                set_up(connection, self.busy, memory=self.memory)
        except sqlite3.Error as fault:
            raise sqlite_faults.translated(fault) from fault
        return SqliteSession(connection, self.compiler, self._loadings)

    def ddl(self) -> SqliteDDL:
        """Return a connection for the schema's work."""
        return SqliteDDL(self)

    def watch(self, changed: Callable[[str], None]) -> Watch:
        """Return what hears of the writes of others; nobody else can reach a database in memory."""
        if self.memory:
            return Unshared()
        made = FileWatch(lambda: self.connect().connection, changed)
        after_fork(made)
        return made

    def live(self, owner: str) -> Life:
        """Hold a lock of that name."""
        return Nothing() if self.memory else LockedFile(self._path, owner)

    def free(self, owner: str) -> Life | None:
        """Hold a lock of that name, as `live` does; None where somebody holds it."""
        return Nothing() if self.memory else free_file(self._path, owner)

    def lives(self, owner: str) -> bool:
        """Whether somebody holds the lock of that name."""
        return not self.memory and file_lives(self._path, owner)

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()

    def _atomic(self, effect: Load | Repeat) -> int:
        turn = None if self.memory else self.turn.take()
        try:
            session = self.pool.take()
            try:
                return session.atomic(effect)
            finally:
                self.put(session)
        finally:
            if turn is not None:
                self.turn.give(turn)


class SqliteDDL(DDLConnection):
    """A connection of the pool; in a transaction it has the turn to write."""

    dialect = "sqlite"

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._session = database.pool.take()
        self._session.hush()
        self._turn: Turn | None = None

    def ask(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with ``?`` for its arguments; return its rows."""
        try:
            return self._session.connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as fault:
            raise sqlite_faults.translated(fault) from fault

    def begin(self, timeout: float) -> None:
        """Take the turn and SQLite's lock; wait for each *timeout* seconds at most. Raises: RetryableError."""
        if not self._database.memory:
            self._turn = self._database.turn.take()
        self.ask(f"PRAGMA busy_timeout = {round(timeout * 1000)}")  # milliseconds
        self.ask("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit and give back the turn."""
        self.ask("COMMIT")
        self._give()

    def close(self) -> None:
        """Leave any transaction and give everything back."""
        self._session.roll_back()  # and it tells nothing of a table that was made anew until it is asked to
        self.ask(f"PRAGMA busy_timeout = {round(self._database.busy * 1000)}")
        self._give()
        self._database.put(self._session)

    def _give(self) -> None:
        if self._turn is not None:
            self._database.turn.give(self._turn)
            self._turn = None


def required(shared: SqliteDatabase | None, url: DatabaseURL, options: PoolOptions) -> SqliteDatabase:
    """Return *shared*, or a database of one's own."""
    if url.dialect != "sqlite":
        raise ConfigurationError("this is not a SQLite database")
    return shared or SqliteDatabase(url, options)
