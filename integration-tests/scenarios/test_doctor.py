"""`nexus doctor` examines a DataFlow that it knows nothing of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataflow import DataFlow
from nexus import Nexus
from nexus.channels.cli import app as program


def _ask(application: Nexus, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str], str]:
    code = program.run(["doctor"], application)
    text = capsys.readouterr().out
    return code, {check["check"]: check["state"] for check in json.loads(text)["checks"]}, text


def test_the_database_of_an_application_is_examined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/shop.db") as db:

        @db.model
        class Product:
            name: str

        application = Nexus(dataflow_integration=db, api_port=0, mcp_port=0)
        assert _ask(application, capsys)[1]["database"] == "note"
        db.prepare()
        code, states, text = _ask(application, capsys)

    assert code == 0
    assert {*states.values()} == {"ok"}
    assert json.loads(text)["configuration"]["shop"]["database_url"].endswith("shop.db")


def test_no_password_of_a_database_that_cannot_be_reached_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with DataFlow("postgresql://ann:s3cret@127.0.0.1:1/shop") as db:
        code, states, text = _ask(Nexus(dataflow_integration=db, api_port=0, mcp_port=0), capsys)

    assert code == 1
    assert states["database"] == "failed"
    assert "s3cret" not in text
