"""Old code on the new schema and new code on the old: a deployment that takes one process after the other.

KAILASH_CONTRACT_OTHER is the interpreter of an environment with another promised release of dataflow. Without it, both
sides are what is installed here, and the schema alone is new.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

PROGRAM = Path(__file__).with_name("handover.py")
OTHER = os.environ.get("KAILASH_CONTRACT_OTHER", sys.executable)


class Side:
    """A process of one release."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def step(self, url: str, models: str, name: str) -> list[str]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps([url, models, name])}\n")
        self._process.stdin.flush()
        names = json.loads(self._process.stdout.readline())
        assert isinstance(names, list), names
        return names

    def close(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture(scope="module")
def other() -> Iterator[Side]:
    with closing(Side(OTHER)) as side:
        yield side


@pytest.fixture(scope="module")
def own() -> Iterator[Side]:
    with closing(Side(sys.executable)) as side:
        yield side


def widened(url: str) -> None:
    """Change the table as a deployment does that brings its own SQL."""
    stock, colour = "ADD COLUMN stock INTEGER NOT NULL DEFAULT 7", "ADD COLUMN colour TEXT"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            file.execute(f"ALTER TABLE products {stock}")
            file.execute(f"ALTER TABLE products {colour}")
            file.commit()
        return
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE products {stock.replace('INTEGER', 'BIGINT')}, {colour}")


def hand_over(url: str, before: Side, after: Side, *, by_hand: bool) -> None:
    assert before.step(url, "1", "old") == ["old"]
    if by_hand:
        widened(url)
    assert after.step(url, "2", "new") == ["old", "new"]
    assert before.step(url, "1", "old again") == ["old", "new", "old again"]
    assert after.step(url, "2", "new again") == ["old", "new", "old again", "new again"]


def test_old_code_works_on_the_new_schema_of_this_release(database_url: str, own: Side, other: Side) -> None:
    hand_over(database_url, other, own, by_hand=True)


def test_this_release_works_on_the_old_schema_and_on_the_new_one_of_others(
    database_url: str, own: Side, other: Side
) -> None:
    hand_over(database_url, own, other, by_hand=True)


def test_new_code_brings_the_new_schema_with_it(database_url: str, own: Side, other: Side) -> None:
    hand_over(database_url, other, own, by_hand=False)
