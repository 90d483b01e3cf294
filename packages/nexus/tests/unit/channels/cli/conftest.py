from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from nexus import Nexus
from nexus.channels.cli import app as program
from nexus.testing import NotesProvider, notes_provider


class Ran(msgspec.Struct, frozen=True):
    """What came of one command line."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        """Standard error as a problem document."""
        return json.loads(self.err)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEXUS_APP", "NEXUS_OUTPUT", "NO_COLOR", "NEXUS_PORT", "NEXUS_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def provider() -> NotesProvider:
    made = notes_provider()
    for number, title in enumerate(["milk", "bread", "tea"]):
        made._create({"title": title, "stars": number})
    return made


@pytest.fixture
def application(provider: NotesProvider) -> Nexus:
    made = Nexus()
    made.add(provider)
    return made


@pytest.fixture
def run(application: Nexus) -> Run:
    """Run ``nexus <words>`` in this process, piped: ``run("notes list", input=...)``, or a list of words."""

    def once(words: str | list[str], input: str | bytes = "", on: Nexus | None = None) -> Ran:
        arguments = words.split() if isinstance(words, str) else words
        with CliRunner().isolation(input=input) as (out, err, _):
            code = program.run(arguments, on or application)
            return Ran(code, out.getvalue().decode(), err.getvalue().decode())

    return once
