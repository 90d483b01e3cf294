"""What a schema may run into on PostgreSQL; more of it in `test_large_and_busy`."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from dataflow import DataFlow
from dataflow.errors import DatabaseUnavailableError
from suites import trouble
from suites.evolution import item
from suites.faces import Open

# What the server says of a disk that is full, after it has done the work.
FULL = """
CREATE FUNCTION no_room() RETURNS event_trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$;
CREATE EVENT TRIGGER no_room ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION no_room()
"""


class TestTrouble(trouble.Trouble):
    OCCUPY = "BEGIN;LOCK TABLE items"
    STRANGE = "point"
    VALUE = "'(1, 2)'"

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    def test_a_full_disk(self, stands: None, opened: Open) -> None:
        with opened().connection() as connection:
            connection.ask(FULL)

        said = self.said(opened(item(level=int, note=(str | None, None))), DatabaseUnavailableError)

        assert "the disk of the database is full; nothing was changed" in said
        with opened().connection() as connection:
            connection.ask("DROP EVENT TRIGGER no_room")


def refused(url: str) -> str:
    """Return how each face says that it is not let in."""
    with DataFlow(url) as db:
        db.model(item(code=str))
        with pytest.raises(DatabaseUnavailableError) as caught:
            db.create_tables()
        with pytest.raises(DatabaseUnavailableError):
            db.schema.plan()
    return str(caught.value)


def test_an_unreachable_server() -> None:
    said = refused("postgresql://nobody@127.0.0.1:1/nothing")

    assert "see that it runs, and that host, port, name, user and password of the database URL are right" in said


def test_a_wrong_password_is_refused_and_shown_nowhere(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    place = parts.netloc.rpartition("@")[2]
    said = refused(parts._replace(netloc=f"nobody_of_that_name:s3cret-s3cret@{place}").geturl())

    assert "user and password of the database URL" in said
    assert "s3cret" not in said


def test_a_database_that_is_not_there(postgres_url: str) -> None:
    assert "name" in refused(urlsplit(postgres_url)._replace(path="/no_database_of_that_name").geturl())
