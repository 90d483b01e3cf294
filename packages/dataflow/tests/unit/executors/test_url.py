"""Every spelling of a database URL."""

from __future__ import annotations

from typing import Any

import pytest

from dataflow.executors.url import DatabaseURL
from kailash.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite://", ""),
        ("sqlite:///:memory:", ""),
        ("sqlite:///shop.db", "shop.db"),
        ("sqlite:///data/my%20shop.db", "data/my shop.db"),
        ("sqlite:////var/lib/shop.db", "/var/lib/shop.db"),
        ("sqlite+aiosqlite:///shop.db?timeout=2.5", "shop.db"),
    ],
)
def test_sqlite(text: str, path: str) -> None:
    url = DatabaseURL.parse(text)

    assert (url.dialect, url.path, url.memory) == ("sqlite", path, not path)


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg", "postgresql+asyncpg"]
)
def test_postgresql_in_each_scheme(scheme: str) -> None:
    url = DatabaseURL.parse(f"{scheme}://ann:p%40ss%2Fw%3Ard@db.example:6543/shop")

    assert url.dialect == "postgresql"
    expected = {"host": "db.example", "port": "6543", "user": "ann", "password": "p@ss/w:rd", "dbname": "shop"}
    assert url.psycopg2_arguments() == expected
    assert url.asyncpg_arguments() == {
        "host": "db.example",
        "port": 6543,
        "user": "ann",
        "password": "p@ss/w:rd",
        "database": "shop",
        "server_settings": {"timezone": "UTC"},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://localhost/shop", {"host": "localhost", "dbname": "shop"}),
        ("postgresql:///shop", {"dbname": "shop"}),
        ("postgresql://", {}),
        ("postgresql://ann@/shop?host=/var/run/pg", {"host": "/var/run/pg", "user": "ann", "dbname": "shop"}),
        ("postgresql://postgres:@/postgres?host=/tmp/x", {"host": "/tmp/x", "user": "postgres", "dbname": "postgres"}),
        ("postgresql://[::1]:5433/shop", {"host": "::1", "port": "5433", "dbname": "shop"}),
        ("postgresql://[::1]/shop", {"host": "::1", "dbname": "shop"}),
        ("postgresql://a:1,b/shop", {"host": "a,b", "port": "1,5432", "dbname": "shop"}),
        ("postgresql://h/shop?sslmode=require", {"host": "h", "dbname": "shop", "sslmode": "require"}),
        ("postgresql://h/shop?ssl=require", {"host": "h", "dbname": "shop", "sslmode": "require"}),
        ("postgresql://u:a@b@h/shop", {"host": "h", "user": "u", "password": "a@b", "dbname": "shop"}),
    ],
)
def test_postgresql_in_parts(text: str, expected: dict[str, Any]) -> None:
    assert DatabaseURL.parse(text).psycopg2_arguments() == expected


def test_asyncpg_is_given_tls_and_settings_where_it_takes_them() -> None:
    url = DatabaseURL.parse("postgresql://h/shop?sslmode=verify-full&sslrootcert=/c.pem&application_name=shop")

    arguments = url.asyncpg_arguments()

    assert arguments["dsn"] == "postgresql://?sslmode=verify-full&sslrootcert=%2Fc.pem"
    assert arguments["server_settings"] == {"timezone": "UTC", "application_name": "shop"}


def test_several_hosts_are_lists_for_asyncpg() -> None:
    arguments = DatabaseURL.parse("postgresql://a:1,b:2/shop").asyncpg_arguments()

    assert (arguments["host"], arguments["port"]) == (["a", "b"], [1, 2])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("shop.db", "begins with sqlite://"),
        ("", "begins with sqlite://"),
        ("mysql://root:hush@h/shop", "'mysql' are not supported"),
        ("postgresql+pg8000://u:hush@h/shop", "not supported"),
        ("sqlite://shop.db", "three slashes"),
        ("sqlite:///shop.db?timeout=soon", "number of seconds"),
        ("postgresql://u:hush@h:port/shop", "a number from 1 to 65535"),
        ("postgresql://u:hush@h:99999/shop", "a number from 1 to 65535"),
        ("postgresql://u:hush@h/shop?sslmod=require", "did you mean 'sslmode'"),
    ],
)
def test_what_cannot_be_a_database_is_refused_without_its_secrets(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DatabaseURL.parse(text)

    assert part in str(caught.value) and "hush" not in str(caught.value)


def test_a_url_never_prints_its_password() -> None:
    url = DatabaseURL.parse("postgresql://ann:hush@h:1/shop?sslpassword=hush")

    assert f"{url} {url!r} {[url]}".count("postgresql://ann:***@h:1/shop") == 3
    assert "hush" not in f"{url} {url!r} {[url]}"
