"""The suite of kept answers on SQLite."""

from __future__ import annotations

import subprocess
import sys

import pytest

from suites import caching


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestKept(_Here, caching.Kept):
    pass


class TestStampede(_Here, caching.Stampede):
    pass


FORK = """
import os, sys
from dataflow import DataFlow
db = DataFlow({url!r}, cache_enabled=True)

@db.model
class Lamp:
    watts: int

say = db.express_sync
say.create("Lamp", {{"watts": 40}})
assert say.read("Lamp", 1)["watts"] == 40
child = os.fork()
if child == 0:
    seen = say.read("Lamp", 1)["watts"]
    say.update("Lamp", 1, {{"watts": 60}})
    os._exit((seen, say.read("Lamp", 1)["watts"]) != (40, 60))
_, status = os.waitpid(child, 0)
found = say.read("Lamp", 1)["watts"]
db.close()
sys.exit(os.waitstatus_to_exitcode(status) or found != 60)
"""


def test_parent_and_child_hear_of_each_other_after_a_fork(sqlite_url: str) -> None:
    program = [sys.executable, "-c", FORK.format(url=sqlite_url)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
