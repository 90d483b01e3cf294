"""Makes databases of a PostgreSQL server for tests, and takes them back: what one test leaves, another one uses.

Making a database takes a tenth of a second, and a second on a busy machine; emptying one takes a tenth of that.

Rule 1: a database that is handed out is as a new one: nothing in it, nobody connected to it, and a name that nobody
had before.
Rule 2: one that a test changed beyond what lies in its schema ``public`` is dropped, and so is one after `USES` tests:
its catalogue grows with each.
"""

from __future__ import annotations

from collections import deque
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg2

USES: Final = 20  # tests that one database serves; arbitrary, and a catalogue of their remains is still small
KEPT: Final = 2  # spare ones before one is used again: who emptied the last may still be leaving it
PATIENCE: Final = 10_000  # milliseconds for a connection to end
SINCE_15: Final = 150_000  # as the driver counts versions

# What a database may have that is not in its schemas.
FOREIGN: Final = """
SELECT (SELECT count(*) FROM pg_namespace
        WHERE nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema', 'public')
        AND nspname !~ '^pg_(toast_)?temp_')
     + (SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql')
     + (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_publication)
     + (SELECT count(*) FROM pg_foreign_data_wrapper) + (SELECT count(*) FROM pg_largeobject_metadata)
     + (SELECT count(*) FROM pg_default_acl)
     + (SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid
        WHERE datname = current_database())
     + (SELECT count(*) FROM pg_database WHERE datname = current_database() AND datacl IS NOT NULL)
"""
OURS: Final = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC"
OURS_SINCE_15: Final = (
    "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner;"
    " GRANT USAGE ON SCHEMA public TO PUBLIC"
)


class Databases:
    """The databases of one process on one server, over one connection. Closing it drops them.

    uses: tests that one database serves; 1: each is new.
    """

    def __init__(self, server_url: str, *, uses: int = USES) -> None:
        self._url, self._uses = server_url, uses
        self._connection = psycopg2.connect(server_url)
        self._connection.autocommit = True
        self._new = self._connection.server_version >= SINCE_15
        self._used: dict[str, int] = {}  # name of one that is handed out -> how many had it before
        self._spare: deque[tuple[str, int]] = deque()

    def make(self, name: str) -> str:
        """Return the URL of an empty database of that name."""
        if len(self._spare) > KEPT:
            spare, uses = self._spare.popleft()
            self.ask(f'ALTER DATABASE "{spare}" RENAME TO "{name}"')
            self._used[name] = uses
        else:
            # The default since PostgreSQL 15 writes each page to the log, which takes three times as long.
            strategy = "STRATEGY FILE_COPY" if self._new else ""
            self.ask(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' {strategy}")
            self._used[name] = 0
        return self._url_of(name)

    def take_back(self, name: str) -> None:
        """Empty a database for others, or drop it."""
        uses = self._used.pop(name) + 1
        self.ask(f"SELECT count(pg_terminate_backend(pid, {PATIENCE})) FROM pg_stat_activity WHERE datname = '{name}'")
        if uses < self._uses and self._emptied(name):
            self._spare.append((name, uses))
        else:
            self._drop(name)

    def ask(self, *statements: str) -> str:
        """Run statements outside a transaction; return the first value that the last one answers, or nothing."""
        with self._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return str(cursor.fetchone()[0]) if cursor.description else ""  # type: ignore[index]

    def close(self) -> None:
        """Drop what was made, and end the connection."""
        for name in [*self._used, *(name for name, _ in self._spare)]:
            self._drop(name)
        self._connection.close()

    def _emptied(self, name: str) -> bool:
        """Empty a database; return whether it is as a new one then."""
        try:
            connection = psycopg2.connect(self._url_of(name))
        except psycopg2.OperationalError:  # a test dropped it, or let nobody in
            return False
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(FOREIGN)
                if cursor.fetchone() != (0,):
                    return False
                cursor.execute(OURS_SINCE_15 if self._new else OURS)
                return True
        except psycopg2.Error:  # more tables than there are locks
            return False
        finally:
            connection.close()

    def _drop(self, name: str) -> None:
        self.ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _url_of(self, name: str) -> str:
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))
