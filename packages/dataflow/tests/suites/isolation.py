"""What a test writes is undone after it, on any database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dataflow import DataFlow
from dataflow.testing import isolated
from suites.evolution import item

TESTS = """
import sys
sys.path[:0] = {path!r}
import pytest
from dataflow import DataFlow

db = DataFlow({url!r}, {mode}=True)

@db.model
class Product:
    name: str

@pytest.mark.parametrize("number", range(3))
def test_each_finds_it_as_the_others_did(number):
    assert db.express_sync.count("Product") == 0
    db.express_sync.create("Product", {{"name": "Lamp"}})
    with db.transaction_sync():
        db.express_sync.bulk_create("Product", [{{"name": "Chair"}}])
    assert db.express_sync.count("Product") == 2

def test_a_failure_leaves_nothing_either():
    db.express_sync.create("Product", {{"name": "Lamp"}})
    assert False

def test_the_next_one_does_not_notice():
    assert db.express_sync.count("Product") == 0

def test_another_database(isolated):
    other = DataFlow("sqlite:///:memory:")
    other.model(Product)
    isolated(other).express_sync.create("Product", {{"name": "Lamp"}})
"""


class Isolation:
    def test_what_is_written_in_the_block_is_undone(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str))
            db.express_sync.create("Item", {"name": "a"})
            with isolated(db):
                db.express_sync.create("Item", {"name": "b"})
                with db.transaction_sync():
                    db.express_sync.create("Item", {"name": "c"})
                assert db.express_sync.count("Item") == 3

            assert [each["name"] for each in db.express_sync.list("Item")] == ["a"]

    def test_an_error_in_the_block_is_the_blocks(self, url: str) -> None:
        with DataFlow(url) as db:
            db.model(item(name=str))
            with pytest.raises(ZeroDivisionError), isolated(db):
                db.express_sync.create("Item", {"name": "b"})
                raise ZeroDivisionError

            assert db.express_sync.count("Item") == 0

    @pytest.mark.parametrize("mode", ["tdd_mode", "test_mode"])
    def test_under_pytest_every_test_is_isolated(self, mode: str, url: str, tmp_path: Path) -> None:
        (tmp_path / "test_shop.py").write_text(TESTS.format(path=sys.path, url=url, mode=mode))
        plugin = "from importlib.metadata import entry_points as e; print([p.name for p in e(group='pytest11')])"
        found = subprocess.run([sys.executable, "-c", plugin], capture_output=True, text=True, check=True).stdout
        needed = [] if "'dataflow'" in found else ["-p", "dataflow.pytest_plugin"]

        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *needed, "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

        assert "1 failed, 5 passed" in run.stdout, run.stdout + run.stderr
