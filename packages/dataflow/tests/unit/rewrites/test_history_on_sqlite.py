"""The history suite on SQLite."""

from __future__ import annotations

import pytest

from suites import history


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestHistory(_Here, history.History):
    pass


class TestAsOf(_Here, history.AsOf):
    pass


class TestReverting(_Here, history.Reverting):
    pass


class TestKeeping(_Here, history.Keeping):
    pass
