"""The suite of shared answers on SQLite, and what needs no database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suites import shared_caching


class TestShared(shared_caching.Shared):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


def test_without_the_package_the_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise ImportError('it is not there')")
    program = (
        "from dataflow import DataFlow\n"
        "db = DataFlow('sqlite:///' + __import__('sys').argv[1], cache_enabled=True, cache_url='redis://127.0.0.1:1')\n"
        "db.model(type('Product', (), {'__annotations__': {'name': str}}))\n"
        "db.prepare()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.db")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "NotAvailableError: cache_url needs the redis package" in ran.stderr
