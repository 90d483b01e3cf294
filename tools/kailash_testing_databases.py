"""Databases for tests: the pytest plugin that all packages and the integration tests share.

Fixtures, all for one test:

``sqlite_url``     a file of its own.
``postgres_url``   a database of its own, on the one PostgreSQL server of this run.
``database_url``   both, one after the other, as ``[sqlite]`` and ``[postgres]``.
``new_database``   a function that makes another PostgreSQL database and returns its URL.
``redis_server``   a Redis server of its own, which it may kill (`redis_server.RedisServer`).

Rule: a test that asks for PostgreSQL or Redis gets it or fails; it is never skipped in silence.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import postgres_server
import redis_server as redis_servers
from spare_databases import Databases

_FOLDER = pytest.StashKey[Path]()  # where the processes of one run meet
_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """Agree on the folder in which the workers of this run find the one server."""
    shared = getattr(config, "workerinput", {}).get("kailash_postgres")
    config.stash[_FOLDER] = Path(shared or tempfile.mkdtemp(prefix="kailash-postgres-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a pytest-xdist worker where the run's server is noted."""
    node.workerinput["kailash_postgres"] = str(node.config.stash[_FOLDER])  # type: ignore[attr-defined]


def pytest_report_header(config: pytest.Config) -> str:
    """Say where PostgreSQL would come from."""
    return f"postgres: {postgres_server.announced()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder and by fixture, so that no test forgets its marker."""
    for item in items:
        if "postgres" in item.path.parts or "postgres_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which PostgreSQL was used."""
    used = config.stash[_FOLDER] / "used"
    if used.exists():
        terminalreporter.write_line(f"postgres used: {used.read_text()}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the server back, where this process leads the run."""
    if not hasattr(config, "workerinput"):
        folder = config.stash[_FOLDER]
        postgres_server.dismiss(folder)
        for leftover in folder.iterdir():
            leftover.unlink()
        folder.rmdir()


@pytest.fixture(scope="session")
def postgres_server_url(request: pytest.FixtureRequest) -> str:
    """URL of the run's server, with the rights to make databases."""
    config = request.config
    leader = os.getppid() if hasattr(config, "workerinput") else os.getpid()
    folder = config.stash[_FOLDER]
    try:
        server = postgres_server.shared_server(folder, leader)
    except postgres_server.NoServerError as reason:
        pytest.fail(str(reason), pytrace=False)
    with closing(Databases(server.url)) as databases:
        (folder / "used").write_text(f"{databases.ask('SHOW server_version')}, from {server.origin}")
    return server.url


@pytest.fixture(scope="session")
def databases_of_the_server(postgres_server_url: str) -> Iterator[Databases]:
    """What makes and drops databases of the run's server."""
    with closing(Databases(postgres_server_url)) as databases:
        yield databases


@pytest.fixture
def new_database(databases_of_the_server: Databases) -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and returns its URL; all of them are dropped after the test."""
    made: list[str] = []

    def make() -> str:
        made.append(f"kailash_test_{os.getpid()}_{next(_numbers)}")
        return databases_of_the_server.make(made[-1])

    yield make
    for name in made:
        databases_of_the_server.take_back(name)


@pytest.fixture
def postgres_url(new_database: Callable[[], str]) -> str:
    """A PostgreSQL database of this test's own."""
    return new_database()


@pytest.fixture
def redis_server() -> Iterator[redis_servers.RedisServer]:
    """A Redis server of this test's own."""
    server = redis_servers.RedisServer()
    try:
        server.start()
        yield server
    except redis_servers.NoRedisError as reason:
        pytest.fail(str(reason), pytrace=False)
    finally:
        server.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file of this test's own."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of this test's own, on SQLite and then on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
