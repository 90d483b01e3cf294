"""The schema at start, on PostgreSQL: nothing to do, beside a bare query; all of it, beside SQLAlchemy's create_all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg2
import pytest
import sqlalchemy as sa

from benchmarks import harness
from dataflow import DataFlow

Record = Callable[[harness.Line], None]


def declared(url: str, models: int) -> DataFlow:
    """Return a database with that many models of eight columns, two indexes each."""
    db = DataFlow(url, application="bench")
    fields = {"sku": str, "name": str, "price": float, "stock": int, "active": bool}
    for number in range(models):
        indexes = [{"fields": ["sku"], "unique": True}, {"fields": ["name", "price"]}]
        db.model(type(f"Thing{number}", (), {"__annotations__": fields, "__indexes__": indexes}))
    return db


@pytest.fixture
def server(postgres_url: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(postgres_url)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.mark.parametrize(("models", "reach"), [(10, 0.001), (100, 0.003)])
def test_nothing_to_do(
    models: int, reach: float, postgres_url: str, server: psycopg2.extensions.connection, record: Record
) -> None:
    """The limit is one bare query; what counts is the time of ours, in seconds, without connecting."""
    with declared(postgres_url, models) as db, server.cursor() as cursor:
        db.schema.migrate()

        def bare() -> None:
            cursor.execute("SELECT 1")
            cursor.fetchall()

        line = harness.compare(f"nothing to do, {models} models", db.schema.migrate, bare, reach=reach, calls=20)
        record(harness.held_to(line, reach=reach, aim=reach / 2))


@pytest.mark.parametrize("models", [10, 100])
def test_from_nothing(models: int, postgres_url: str, server: psycopg2.extensions.connection, record: Record) -> None:
    """The limit is ``metadata.create_all`` of the same tables; everything is loaded and connected on both sides."""
    engine = sa.create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg2://"))

    def fresh() -> None:
        with server.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def timed(make: Callable[[], object]) -> harness.Sample:
        fresh()
        wall, cpu = time.perf_counter(), time.process_time()
        make()
        return harness.Sample(time.perf_counter() - wall, time.process_time() - cpu)

    with declared(postgres_url, models) as db:
        metadata = db.models.metadata
        samples = [
            (timed(lambda: metadata.create_all(engine)), timed(db.schema.migrate))
            for _ in range(4 if models > 10 else 9)
        ][1:]  # the first of each loads what it takes
        record(harness._line(f"from nothing, {models} tables", samples, 1.3, 1.0, False))
    engine.dispose()
