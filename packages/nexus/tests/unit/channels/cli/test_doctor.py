"""`nexus doctor`: versions, what a provider says of itself, ports, configuration."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kailash.checkup import Check, State
from nexus import Nexus
from nexus.testing import NotesProvider

Run = Callable[..., Any]


class Examined(NotesProvider):
    """Notes that say how they are."""

    state = State.OK
    name = "notes"

    def checkup(self) -> Sequence[Check]:
        return [Check("paper", self.state, "enough of it", "buy some")]

    def configuration(self) -> Mapping[str, Any]:
        return {"password": "***", "lines": 7}


def _checks(value: Any) -> dict[str, Any]:
    return {check["check"]: check for check in value["checks"]}


@pytest.fixture
def examined() -> Examined:
    return Examined()


@pytest.fixture
def application(examined: Examined) -> Nexus:
    made = Nexus(title="Desk", api_port=0, mcp_port=0)
    made.add(examined)
    return made


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody listens and says nothing of use."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_it_tells_versions_providers_ports_and_configuration(run: Run) -> None:
    ran = run("doctor")

    assert ran.code == 0
    assert ran.value["healthy"] is True
    found = _checks(ran.value)
    assert found["together"]["state"] == "ok"
    assert found["application"]["said"] == "Desk"
    assert found["paper"] == {"check": "paper", "state": "ok", "said": "enough of it", "hint": "buy some"}
    assert found["api_port"]["said"] == "any free one"
    assert ran.value["configuration"]["nexus"]["title"] == "Desk"
    assert ran.value["configuration"]["notes"] == {"password": "***", "lines": 7}


def test_what_is_wrong_with_a_provider_is_wrong_with_the_application(run: Run, examined: Examined) -> None:
    examined.state = State.FAILED

    ran = run("doctor")

    assert ran.code == 1
    assert ran.value["healthy"] is False


def test_a_table_is_for_people(run: Run) -> None:
    ran = run("doctor --output table")

    assert ran.lines[0].split() == ["check", "state", "said", "hint"]
    assert any(line.split() == ["title", "Desk"] for line in ran.lines)


def test_a_port_that_is_taken_is_wrong(run: Run, taken: int) -> None:
    ran = run("doctor", on=Nexus(api_port=taken, enable_mcp=False))

    assert ran.code == 1
    assert "cannot be opened" in _checks(ran.value)["api_port"]["said"]
    assert "mcp_port" not in _checks(ran.value)


def test_a_port_at_which_a_nexus_is_served_already_is_only_noted(run: Run, application: Nexus) -> None:
    application.start(blocking=False)
    try:
        port = int(application.api_url.rpartition(":")[2])
        ran = run("doctor", on=Nexus(api_port=port, mcp_port=None))
    finally:
        application.stop()

    assert ran.code == 0
    assert _checks(ran.value)["api_port"]["state"] == "note"


def test_looking_leaves_the_port_free(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    application = Nexus(api_port=port, mcp_port=None)
    assert run("doctor", on=application).code == 0

    application.start(blocking=False)
    application.stop()


def test_without_an_application_it_says_what_it_can(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nexus.channels.cli import app as program

    monkeypatch.chdir(tmp_path)

    assert program.run(["doctor"]) == 0
    assert '"application","state":"note"' in capsys.readouterr().out
    assert program.run(["--app", "absent_program:app", "doctor"]) == 1
