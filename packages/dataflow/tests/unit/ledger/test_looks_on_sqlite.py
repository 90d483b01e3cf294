"""The suite of what is found by looking, on SQLite: written by plain connections, which have nothing of ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from dataflow import DataFlow
from suites import looks, others
from suites.evolution import item


@pytest.fixture
def other(sqlite_url: str) -> others.Run:
    def run(sql: str) -> None:
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(sql)
            connection.commit()

    return run


ONLY = "ON dataflow_seen WHEN NEW.record <> '7' BEGIN SELECT RAISE(ABORT, 'seen without need'); END"


class TestByLooking(looks.ByLooking):
    only_seven = f"CREATE TRIGGER only_i BEFORE INSERT {ONLY}; CREATE TRIGGER only_u BEFORE UPDATE {ONLY}"

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_a_file_whose_triggers_tell_of_others_is_told_of_once(self, url: str, other: others.Run) -> None:
        """Another program asked for them; they spell records in another way."""
        others.opened(url, size=(float, 0.0)).close()
        with others.opened(url, method="polling", size=(float, 0.0)) as db:
            other(others.INTO_ITEM.replace("(name,", "(size, name,").replace("('%s'", "(0.1, 'one'"))
            other("UPDATE items SET size = 1.0 / 3")

            assert db.feed.look() == 0
            assert [each.event for each in db.feed.read()] == ["create", "update"]


def test_a_look_finds_what_was_seen_by_its_key(
    sqlite_url: str, other: others.Run, caplog: pytest.LogCaptureFixture
) -> None:
    """One way through the table, and else by keys: a comparison of all with all does not end at 100,000 records."""
    with DataFlow(sqlite_url, change_detection_method="polling", echo=True) as db:
        db.model(item(name=str))
        db.express_sync.create("Item", {"name": "ours"})
        other("UPDATE items SET name = 'theirs'")
        with caplog.at_level("INFO", "dataflow.sql"):
            assert db.feed.look() == 1
        asked = [each.message for each in caplog.records if "dataflow_seen s" in each.message]
        with db.connection() as connection:
            plans = [
                [str(step) for *_, step in connection.ask(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?"))]
                for sql in asked
            ]

    suspects, differing = sorted(plans, key=len, reverse=True)
    by_key = "SEARCH s USING INDEX sqlite_autoindex_dataflow_seen_1 (model=? AND record=?) LEFT-JOIN"
    assert [step for step in suspects if step.startswith(("SCAN t", "SCAN s", "SEARCH s "))] == [
        "SCAN t",
        by_key,
        "SCAN t",
    ]
    assert by_key in differing
    assert "SEARCH t USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN" in differing
