"""The examples of the README pages run too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pages import PAGES, enter, leave

ROOT = Path(__file__).parents[1]
README = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]


@pytest.mark.parametrize("page", README, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_examples_run(page: Path) -> None:
    namespace: dict[str, Any] = {}
    document = PAGES.parse(page)
    document.namespace = namespace
    enter(namespace)
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        leave(namespace)
