"""A repository to release from."""

from __future__ import annotations

from pathlib import Path

import pytest
from releases import made_up


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> made_up.Repository:
    """A made-up repository of the three distributions, with nothing released yet."""
    for name, value in {**made_up.WHO, **made_up.QUIET}.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repository"
    root.mkdir()
    return made_up.Repository(root)
