"""Database URLs: every spelling people use, read once into a value that never prints its password.

    sqlite:///shop.db   sqlite:////abs/shop.db   sqlite:///:memory:   sqlite://
    postgresql://user:pass@host:5432/shop   postgres://...   postgresql+psycopg2:// +psycopg:// +asyncpg://
    postgresql:///shop?host=/var/run/postgresql

The driver in a URL is accepted and ignored: blocking work uses psycopg2 or sqlite3, asyncio uses asyncpg or sqlite3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec

from kailash.errors import ConfigurationError, did_you_mean

SQLITE_DRIVERS: Final = frozenset({"", "pysqlite", "aiosqlite"})
POSTGRES_DRIVERS: Final = frozenset({"", "psycopg2", "psycopg", "asyncpg"})
POSTGRES_DEFAULT_PORT: Final = 5432  # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-PORT
PLACES: Final = frozenset({"host", "port", "user", "password", "dbname"})  # query options that are parts of the address
TLS: Final = frozenset({"sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"})
SETTINGS: Final = frozenset({"application_name", "options"})  # sent to the server when a session starts
POSTGRES_OPTIONS: Final = PLACES | TLS | SETTINGS | {"ssl", "connect_timeout", "target_session_attrs"}
SQLITE_OPTIONS: Final = frozenset({"timeout"})


class DatabaseURL(msgspec.Struct, frozen=True, kw_only=True):
    """Where a database is and how to enter it."""

    dialect: Literal["postgresql", "sqlite"]
    path: str = ""  # SQLite: the file; empty: in memory
    host: str = ""  # name, address, folder of a socket, or several with commas; empty: the driver's default
    port: str = ""
    user: str = ""
    password: str = ""
    database: str = ""
    options: Mapping[str, str] = {}

    @classmethod
    def parse(cls, text: str) -> DatabaseURL:
        """Read *text*.

        Raises: ConfigurationError, which never repeats more of the URL than its scheme or an option's name.
        """
        scheme, colon, rest = text.strip().partition("://")
        dialect, _, driver = scheme.lower().partition("+")
        if not colon:
            raise ConfigurationError("a database URL begins with sqlite:// or postgresql://", hint=HINT)
        if dialect == "sqlite" and driver in SQLITE_DRIVERS:
            return _sqlite(rest)
        if dialect in ("postgresql", "postgres") and driver in POSTGRES_DRIVERS:
            return _postgresql(rest)
        raise ConfigurationError(f"databases of the kind {scheme!r} are not supported", hint=HINT)

    @property
    def memory(self) -> bool:
        """Whether this is a SQLite database in memory."""
        return self.dialect == "sqlite" and not self.path

    def __repr__(self) -> str:
        """Show where the database is; the password and the options stay hidden."""
        if self.dialect == "sqlite":
            return f"sqlite:///{self.path or ':memory:'}"
        user = f"{self.user}{':***' if self.password else ''}@" if self.user else ""
        return f"postgresql://{user}{self.host}{':' + self.port if self.port else ''}/{self.database}"

    __str__ = __repr__

    def asyncpg_arguments(self) -> dict[str, Any]:
        """Keywords of ``asyncpg.connect``. The session's time zone is UTC."""
        tls = {name: value for name, value in self._spelled().items() if name in TLS}
        settings = {"timezone": "UTC"} | {name: v for name, v in self.options.items() if name in SETTINGS}
        given: dict[str, Any] = {"user": self.user, "password": self.password, "database": self.database}
        if self.host:
            given["host"] = self.host.split(",") if "," in self.host else self.host
        if self.port:
            ports = [int(port) for port in self.port.split(",")]
            given["port"] = ports if len(ports) > 1 else ports[0]
        if tls:
            given["dsn"] = "postgresql://?" + urlencode(tls)
        if "target_session_attrs" in self.options:
            given["target_session_attrs"] = self.options["target_session_attrs"]
        return {name: value for name, value in given.items() if value} | {"server_settings": settings}

    def psycopg2_arguments(self) -> dict[str, Any]:
        """Keywords of ``psycopg2.connect``."""
        given = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        given |= {"dbname": self.database}
        given |= self._spelled()
        return {name: value for name, value in given.items() if value}

    def _spelled(self) -> dict[str, str]:
        """The options as libpq spells them; ``ssl`` is asyncpg's and SQLAlchemy's word for ``sslmode``."""
        return {"sslmode" if name == "ssl" else name: value for name, value in self.options.items()}


HINT: Final = "use sqlite:///shop.db, sqlite:///:memory: or postgresql://user:password@host:5432/database"


def _sqlite(rest: str) -> DatabaseURL:
    place, _, query = rest.partition("?")
    options = _options(query, SQLITE_OPTIONS)
    if "timeout" in options and not options["timeout"].replace(".", "", 1).isdigit():
        raise ConfigurationError("the option 'timeout' of a sqlite URL is a number of seconds")
    if place and not place.startswith("/"):
        raise ConfigurationError(
            "a sqlite URL names no host", hint="three slashes before a relative path, four before an absolute one"
        )
    path = unquote(place[1:])
    return DatabaseURL(dialect="sqlite", path="" if path == ":memory:" else path, options=options)


def _postgresql(rest: str) -> DatabaseURL:
    place, _, query = rest.partition("?")
    options = _options(query, POSTGRES_OPTIONS)
    authority, _, database = place.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    names, ports = _hosts(hosts)
    parts = {"host": names, "port": ports, "user": unquote(user), "password": unquote(password)}
    parts["dbname"] = unquote(database)
    for name in PLACES & options.keys():
        parts[name] = options[name]
    if not all(_is_port(port) for port in parts["port"].split(",") if parts["port"]):
        raise ConfigurationError("the port of a database URL is a number from 1 to 65535")
    parts["database"] = parts.pop("dbname")
    kept = {name: value for name, value in options.items() if name not in PLACES}
    return DatabaseURL(dialect="postgresql", options=kept, **parts)


def _hosts(text: str) -> tuple[str, str]:
    """``a:1,b`` -> ``("a,b", "1,5432")``; an IPv6 address stands in square brackets."""
    if not text:
        return "", ""
    hosts, ports = [], []
    for place in text.split(","):
        host, colon, port = place.rpartition(":")
        if not colon or port.endswith("]"):
            host, port = place, ""
        hosts.append(unquote(host.removeprefix("[").removesuffix("]")))
        ports.append(port)
    if not any(ports):
        return ",".join(hosts), ""
    return ",".join(hosts), ",".join(port or str(POSTGRES_DEFAULT_PORT) for port in ports)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65_536  # 16 bits (RFC 9293)


def _options(query: str, known: frozenset[str]) -> dict[str, str]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in known:
            raise ConfigurationError(f"a database URL has no option {name!r}", hint=did_you_mean(name, known))
    return given
