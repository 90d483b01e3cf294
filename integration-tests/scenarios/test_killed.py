"""A checkout under load is killed by SIGKILL at random points: orders, stock, payments and receipts balance."""

from __future__ import annotations

import importlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed_shop.py")
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
KILLS = 20 if DEEP else 3
ORDERS = 200 if DEEP else 40

pytestmark = pytest.mark.timeout(1800 if DEEP else 240)


def start(url: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, str(PROGRAM), url, str(ORDERS)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def kill_after(program: subprocess.Popen[str], lines: int) -> bool:
    """Kill it when it has said so much, while others are under way; whether it had not ended before."""
    assert program.stdout is not None
    for _ in range(lines):
        if not program.stdout.readline():
            break
    program.kill()
    program.communicate(timeout=60)
    return program.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_what_was_bought_was_bought_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    shop_at = importlib.import_module(PROGRAM.stem).shop_at
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    with shop_at(database_url) as db:
        db.express_sync.bulk_create("Product", [{"name": name, "stock": ORDERS} for name in ("Lamp", "Chair")])

        new = ORDERS // (KILLS + 1)
        done = 0
        killed = 0
        for _ in range(KILLS):
            lines = done + draw.randrange(1, new)  # what is done already is said again, from the journal
            killed += kill_after(start(database_url), lines)
            done = db.express_sync.count("Receipt")
        with start(database_url) as last:
            last.communicate(timeout=200)
        assert last.returncode == 0, f"seed {seed}"

        everybody = Counter(range(ORDERS))
        bought = {
            model: Counter(row["customer_id"] for row in db.express_sync.list(model, limit=None))
            for model in ("Order", "Payment", "Receipt")
        }
        stocks = [row["stock"] for row in db.express_sync.list("Product")]
        unfinished = db.run_store().unfinished()

    assert killed == KILLS, f"seed {seed}"
    assert bought == {"Order": everybody, "Payment": everybody, "Receipt": everybody}, f"seed {seed}"
    assert stocks == [ORDERS // 2, ORDERS // 2]
    assert unfinished == []
