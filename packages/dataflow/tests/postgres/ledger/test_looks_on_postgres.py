"""The suite of what is found by looking, on PostgreSQL: written as replication writes, which fires no trigger."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from suites import looks, others


@pytest.fixture
def other(postgres_url: str) -> others.Run:
    def run(sql: str) -> None:
        with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(sql)
            connection.commit()

    return run


class TestByLooking(looks.ByLooking):
    only_seven = (
        "CREATE FUNCTION only_seven() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.record <> '7' THEN RAISE 'seen without need'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER only_seven BEFORE INSERT OR UPDATE ON dataflow_seen"
        " FOR EACH ROW EXECUTE FUNCTION only_seven()"
    )

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    def test_what_triggers_tell_of_is_told_once(self, url: str, postgres_url: str) -> None:
        """Also from another time zone, in which they spell moments otherwise."""
        with others.opened(url, method="polling") as db:
            with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
                cursor.execute("SET timezone = 'Asia/Tokyo'")
                cursor.execute(others.INTO_ITEM % "theirs")
                connection.commit()

            assert db.feed.look() == 0
            assert others.told(db) == [("create", "Item", 1)]

    def test_an_emptied_table_is_told(self, url: str, postgres_url: str) -> None:
        with others.opened(url, method="polling") as db:
            db.express_sync.create("Item", {"name": "ours"})
            with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
                cursor.execute("TRUNCATE items")
                connection.commit()

            assert db.feed.look() == 1
            assert others.told(db) == [("create", "Item", 1), ("delete", "Item", 1)]
