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
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

PROGRAM = Path(__file__).with_name("handover.py")
OTHER = os.environ.get("KAILASH_CONTRACT_OTHER", sys.executable)


def step(python: str, url: str, models: str, name: str) -> list[str]:
    ran = subprocess.run(
        [python, str(PROGRAM), url, models, name], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    names: list[str] = json.loads(ran.stdout)
    return names


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


def hand_over(url: str, before: str, after: str, *, by_hand: bool) -> None:
    assert step(before, url, "1", "old") == ["old"]
    if by_hand:
        widened(url)
    assert step(after, url, "2", "new") == ["old", "new"]
    assert step(before, url, "1", "old again") == ["old", "new", "old again"]
    assert step(after, url, "2", "new again") == ["old", "new", "old again", "new again"]


@pytest.mark.parametrize(("before", "after"), [(OTHER, sys.executable), (sys.executable, OTHER)], ids=["to", "from"])
def test_old_code_works_on_the_new_schema_and_new_code_on_the_old(database_url: str, before: str, after: str) -> None:
    hand_over(database_url, before, after, by_hand=True)


def test_new_code_brings_the_new_schema_with_it(database_url: str) -> None:
    hand_over(database_url, OTHER, sys.executable, by_hand=False)
