"""Every test that the page of lessons names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "lessons.md"


def test_every_lesson_is_held_by_tests_of_its_names() -> None:
    sources = [*ROOT.glob("packages/*/tests/**/*.py"), *ROOT.glob("integration-tests/**/*.py")]
    there = {name for path in sources for name in re.findall(r"def (test_\w+)", path.read_text())}
    lessons = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ ", line)]
    named = {line.split("|")[1].strip(): re.findall(r"`(test_\w+)`", line) for line in lessons}

    assert len(named) >= 20
    assert [number for number, tests in named.items() if not tests] == []
    assert {test for tests in named.values() for test in tests} - there == set()
