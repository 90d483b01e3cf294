"""PostgreSQL through psycopg2, blocking: a bounded pool of autocommit connections."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import psycopg2
import psycopg2.extensions as ext

from dataflow.effects import Load, Query, Repeat, Rows
from dataflow.errors import DatabaseError, DatabaseUnavailableError
from dataflow.executors import faults
from dataflow.executors.alive import Life, LockedKey, free_key, key_lives
from dataflow.executors.compiled import Compiled, Compiler
from dataflow.executors.ddl import DDLConnection
from dataflow.executors.forks import after_fork
from dataflow.executors.listening import Listening
from dataflow.executors.loading import Loading, Loadings
from dataflow.executors.pool import Pool, PoolOptions
from dataflow.executors.prepared import Prepared
from dataflow.executors.transaction import Session, begin_statement
from dataflow.executors.url import DatabaseURL
from dataflow.executors.watching import Watch
from kailash._undo import Undoing

R = TypeVar("R")

JSON_OIDS: Final = (114, 3802)  # json, jsonb: pg_type.dat; we decode the text ourselves
PAGE: Final = 500  # statements sent in one message by a repeat; arbitrary, beyond 100 little is gained

log = logging.getLogger("dataflow.sql")
TEXT: Final = ext.new_type(JSON_OIDS, "JSON_TEXT", ext.UNICODE)


class PsycopgSession:
    """One connection of psycopg2, in autocommit mode, with one cursor."""

    __slots__ = (
        "_compiler", "_cursor", "_execute", "_fetch", "_loadings", "_prepared", "born", "connection", "freed", "known",
    )  # fmt: skip

    def __init__(self, connection: ext.connection, compiler: Compiler, loadings: Loadings) -> None:
        self.connection = connection
        self._cursor = connection.cursor()
        self._execute, self._fetch = self._cursor.execute, self._cursor.fetchall
        self._compiler = compiler
        self._loadings = loadings
        self._prepared = Prepared(self._cursor)
        self.known = compiler.known
        self.born = self.freed = time.monotonic()

    def usable(self) -> bool:
        """Whether the driver still thinks that it is connected."""
        return not self.connection.closed

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def query(self, effect: Query) -> Rows:
        """Run one statement."""
        return self.run(self.known.get(effect.shape) or self._compiler.compile(effect), effect.values)

    def run(self, compiled: Compiled, values: Any) -> Rows:
        """Run a compiled statement."""
        try:
            return self._answer(compiled, values)
        except psycopg2.Error as fault:
            raise self._translated(fault, compiled.table) from fault

    def apart(self, compiled: Compiled, values: Any) -> Rows:
        """Run a compiled statement outside a transaction: prepared, where it is asked again and again.

        One that failed has done nothing, so it may be run once more as it is.
        """
        if (prepared := self._prepared.find(compiled)) is None:
            return self.run(compiled, values)
        try:
            return self._answer(prepared, values)
        except psycopg2.Error as fault:
            if not self._prepared.forget(compiled, fault):
                raise self._translated(fault, compiled.table) from fault
        return self.run(compiled, values)

    def load(self, effect: Load) -> int:
        """Store many records by COPY, all or none."""
        loading = self._loadings.find(effect)
        if loading.create:
            self.command(loading.create)
        try:
            self._cursor.copy_expert(loading.insert, copy_text(loading, effect.records))
        except psycopg2.Error as fault:
            raise self._translated(fault, loading.table) from fault
        return len(effect.records)

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for each record; the caller has begun a transaction."""
        compiled = self._compiler.compile_repeat(effect)
        try:
            touched = 0
            for arguments in compiled.arguments(effect.records):
                self._execute(compiled.sql, arguments)
                touched += max(self._cursor.rowcount, 0)
        except psycopg2.Error as fault:
            raise self._translated(fault, compiled.table) from fault
        return touched

    def ask(self, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run any statement; return its rows."""
        try:
            self._execute(sql, arguments or None)
            return self._fetch() if self._cursor.description else []
        except psycopg2.Error as fault:
            raise self._translated(fault, None) from fault

    def command(self, sql: str) -> None:
        """Run a statement without arguments or rows."""
        try:
            self._execute(sql)
        except psycopg2.Error as fault:
            raise self._translated(fault, None) from fault

    def heard(self) -> list[str]:
        """Return what was notified to a connection that listens, as far as it is there."""
        try:
            self.connection.poll()
        except psycopg2.Error as fault:
            raise self._translated(fault, None) from fault
        payloads = [notify.payload for notify in self.connection.notifies]
        self.connection.notifies.clear()
        return payloads

    def finish(self) -> None:
        """PostgreSQL drops the tables of a transaction itself."""

    def left(self) -> bool:
        """Whether it is connected and outside any transaction, as it must be to be given back."""
        if self.connection.closed:
            return False
        return bool(self.connection.info.transaction_status == ext.TRANSACTION_STATUS_IDLE)

    def _answer(self, compiled: Compiled, values: Any) -> Rows:
        self._execute(compiled.sql, compiled.arguments(values))
        if compiled.rows is None:
            return Rows([], max(self._cursor.rowcount, 0))
        items = compiled.rows(self._fetch(), values)
        return Rows(items, len(items))

    def _translated(self, fault: psycopg2.Error, table: Any) -> Exception:
        if self.connection.closed:
            return DatabaseUnavailableError(faults.LOST)
        if fault.pgcode is None and not isinstance(fault, psycopg2.OperationalError):
            return DatabaseError("the database driver refused the statement or one of its values")
        names = fault.diag
        return faults.of_sqlstate(fault.pgcode, table, constraint=names.constraint_name, column=names.column_name)


class PsycopgDatabase:
    """One PostgreSQL database as blocking connections reach it."""

    def __init__(self, url: DatabaseURL, options: PoolOptions) -> None:
        self._arguments = {"connect_timeout": max(2, round(options.connect_timeout))} | url.psycopg2_arguments()
        self.compiler = Compiler("psycopg2", echo=options.echo)
        self._loadings = Loadings(self.compiler, "psycopg2")
        self.known = self.compiler.known
        self.pool: Pool[PsycopgSession] = Pool(self.connect, options)
        self._inherited: list[PsycopgSession] = []
        after_fork(self)

    def forked(self) -> None:
        """Begin anew in a child process: what the parent holds is neither used nor closed."""
        self._inherited += self.pool.abandon()

    def query(self, effect: Query) -> Rows:
        """Run one statement that commits by itself; a read whose connection was dead is asked once more."""
        compiled = self.known.get(effect.shape) or self.compiler.compile(effect)
        session = self.pool.take()
        try:
            try:
                return session.apart(compiled, effect.values)
            finally:
                self.end(session)
        except DatabaseUnavailableError:
            if compiled.writes or session.usable():
                raise
        self.purge()
        return self._within(lambda again: again.run(compiled, effect.values))

    def load(self, effect: Load) -> int:
        """Store many records, all or none."""
        return self._within(lambda session: session.load(effect))

    def repeat(self, effect: Repeat) -> int:
        """Run one statement for many records, all or none."""
        session = self.begin("")
        try:
            with Undoing(lambda: _roll_back(session)):
                touched = session.repeat(effect)
                session.command("COMMIT")
        finally:
            self.end(session)
        return touched

    def begin(self, isolation: str) -> Session:
        """Take a connection and begin."""
        begin = begin_statement(isolation)
        session = self.pool.take()
        try:
            with Undoing(lambda: self.end(session)):
                session.command(begin)
        except DatabaseUnavailableError:
            if session.usable():
                raise
        else:
            return session
        self.purge()  # nothing was begun: a dead connection is replaced once
        session = self.pool.take()
        with Undoing(lambda: self.end(session)):
            session.command(begin)
        return session

    def end(self, session: Session) -> None:
        """Give back a connection; one that is lost or still in a transaction is closed."""
        assert isinstance(session, PsycopgSession)
        if session.left():
            self.pool.give(session)
        else:
            self.pool.drop(session)

    def purge(self) -> None:
        """One idle connection was dead: the others that lay idle are likely dead too."""
        while (session := self.pool.poll()) is not None:
            self.pool.drop(session)

    def connect(self) -> PsycopgSession:
        """Open a connection and set it up. Raises: DatabaseUnavailableError."""
        try:
            connection = psycopg2.connect(**self._arguments)
        except psycopg2.OperationalError as fault:
            raise DatabaseUnavailableError(faults.UNREACHED, hint=faults.REACH) from fault
        except psycopg2.Error as fault:
            raise DatabaseUnavailableError("the database URL was refused by its driver") from fault
        connection.autocommit = True
        ext.register_type(TEXT, connection)
        session = PsycopgSession(connection, self.compiler, self._loadings)
        if connection.get_parameter_status("TimeZone") != "UTC":
            session.command("SET TIME ZONE 'UTC'")
        return session

    def ddl(self) -> PsycopgDDL:
        """Return a connection for the schema's work."""
        return PsycopgDDL(self)

    def watch(self, changed: Callable[[str], None]) -> Watch:
        """Return what hears of the writes of others, by a connection that is not of the pool."""
        return Listening(self.connect, changed)

    def live(self, owner: str) -> Life:
        """Hold a lock of that name, by a connection that is not of the pool."""
        return LockedKey(self.connect(), owner)

    def free(self, owner: str) -> Life | None:
        """Hold a lock of that name, as `live` does; None where somebody holds it."""
        return free_key(self.connect(), owner)

    def lives(self, owner: str) -> bool:
        """Whether somebody holds the lock of that name."""
        return self._within(lambda session: key_lives(session, owner))

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()

    def _within(self, act: Callable[[PsycopgSession], R]) -> R:
        session = self.pool.take()
        try:
            return act(session)
        finally:
            self.end(session)


class PsycopgDDL(DDLConnection):
    """A connection of the pool."""

    dialect = "postgresql"

    def __init__(self, database: PsycopgDatabase) -> None:
        self._database = database
        self._session = database.pool.take()

    def ask(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with ``?`` for its arguments; return its rows."""
        return self._session.ask(sql.replace("%", "%%").replace("?", "%s") if arguments else sql, arguments)

    def begin(self, timeout: float) -> None:
        """Begin; from here on the session waits *timeout* seconds for any lock."""
        self.ask("BEGIN")
        self.ask(f"SET LOCAL lock_timeout = {round(timeout * 1000)}")  # milliseconds

    def commit(self) -> None:
        """Commit."""
        self.ask("COMMIT")

    def close(self) -> None:
        """Leave any transaction and give the connection back."""
        if not self._session.left():
            _roll_back(self._session)
        self._database.end(self._session)


def _roll_back(session: Session) -> None:
    try:
        session.command("ROLLBACK")
    except DatabaseError:
        log.debug("a transaction could not be rolled back; its connection is closed")


# -- COPY in text format: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2 ---------------------

ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_text(loading: Loading, records: Sequence[Sequence[Any]]) -> io.StringIO:
    """Return the records as the text that COPY reads."""
    spelled = _SPELLED
    lines = ["\t".join([spelled.get(type(v), _other)(v) for v in row]) for row in _encoded(loading, records)]
    return io.StringIO("\n".join(lines) + "\n" if lines else "")


def _encoded(loading: Loading, records: Sequence[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    encoded: Iterable[Sequence[Any]] = loading.encode(records)
    return encoded


def _text(value: str) -> str:
    return value.translate(ESCAPES) if _needs_escape(value) else value


def _needs_escape(value: str) -> bool:
    return "\\" in value or "\n" in value or "\t" in value or "\r" in value


def _other(value: Any) -> str:
    """Any other value, as psycopg2 would quote it in a statement is not what COPY reads: ask for its plain text."""
    if isinstance(value, str):  # a subclass
        return _text(str(value))
    if isinstance(value, (list, tuple)):
        return _text(_array(value))
    return _text(str(value))


def _array(items: Iterable[Any]) -> str:
    """An array literal: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO."""
    return "{" + ",".join("NULL" if item is None else _item(item) for item in items) + "}"


def _item(item: Any) -> str:
    if isinstance(item, (list, tuple)):
        return _array(item)
    return '"' + str(item).replace("\\", "\\\\").replace('"', '\\"') + '"'


_SPELLED: Final[dict[type, Callable[[Any], str]]] = {
    str: _text,
    int: int.__repr__,
    float: float.__repr__,
    bool: lambda value: "t" if value else "f",
    type(None): lambda value: "\\N",
    bytes: lambda value: "\\\\x" + value.hex(),
    memoryview: lambda value: "\\\\x" + value.hex(),
}
