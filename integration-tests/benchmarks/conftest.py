"""Fixtures of the benchmarks: the shared table on each database, and the table of ratios at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import uvloop

from benchmarks import harness, results
from benchmarks.limits import tables
from benchmarks.models import Product
from dataflow import DataFlow
from spare_databases import Databases

LINES: pytest.StashKey[list[harness.Line]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", action="store_true", help="keep the results as those of the versions that are here")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the lines as JSON: in .workshop/bench/, and with --store among the results of releases."""
    if lines := session.config.stash[LINES]:
        results.write(lines, store=session.config.getoption("--store"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.stash[LINES]:
        terminalreporter.section("ours over the limit")
        terminalreporter.write_line(harness.table(config.stash[LINES]))


@pytest.fixture(scope="session")
def databases_of_the_server(postgres_server_url: str) -> Iterator[Databases]:
    """Each database is new: the catalogue of one that was used holds what others left in it."""
    with contextlib.closing(Databases(postgres_server_url, uses=1)) as databases:
        yield databases


@pytest.fixture
def record(request: pytest.FixtureRequest, benchmark: Any) -> Iterator[Callable[[harness.Line], None]]:
    """Keep a line for the table and in pytest-benchmark's own report (the ratio, and both sides)."""
    lines: list[harness.Line] = []

    def keep(line: harness.Line) -> None:
        lines.append(line)
        request.config.stash[LINES].append(line)

    yield keep
    benchmark.extra_info["lines"] = [
        {"what": each.what, "ratio": each.ratio, "ours": each.ours, "limit": each.limit, "reach": each.reach}
        for each in lines
    ]
    benchmark.pedantic(lambda: None, rounds=1)  # the figures are the ratios; see harness


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One uvloop for the module."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


def shop(url: str) -> DataFlow:
    """Return a database with the benchmark's model, its table made and filled with 10,000 rows."""
    db = DataFlow(url)
    db.model(Product)
    db.express_sync.bulk_create("Product", tables.products())
    return db


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Iterator[tuple[DataFlow, str]]:
    path = str(tmp_path / "bench.db")
    with shop(f"sqlite:///{path}") as db:
        yield db, path


@pytest.fixture
def postgres_shop(postgres_url: str) -> Iterator[tuple[DataFlow, str]]:
    """As every database that has stood for a minute: its planner knows the table, and nothing waits to be vacuumed."""
    with shop(postgres_url) as db:
        with contextlib.closing(psycopg2.connect(postgres_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute("VACUUM ANALYZE products")
        yield db, postgres_url
