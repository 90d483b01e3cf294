"""The program `dataflow`: its words, its exit codes, where it finds the application."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dataflow import DataFlow
from dataflow.cli import app, locate, output
from kailash.errors import Kind

MODELS = "from dataflow import DataFlow\ndb = DataFlow('sqlite:///shop.db')\n"


def test_every_command_is_there_and_tells_what_it_does() -> None:
    for word in app.COMMANDS:
        command = app.program().get_command(None, word)  # type: ignore[arg-type]  # it asks nothing of a context
        assert command is not None
        assert command.name == word
        assert command.help


def test_every_kind_of_error_has_an_exit_code() -> None:
    assert {*app.EXITS} == {*Kind}


def test_help_imports_no_database_library() -> None:
    asked = "import sys\nfrom dataflow.cli import app\n"
    program = asked + "try: app.main(['--help'])\nexcept SystemExit: print(sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not any(f"'{name}'" in run.stdout for name in ("sqlalchemy", "psycopg2", "asyncpg", "asyncio", "sqlite3"))


def test_an_unknown_word_is_a_usage_error_with_the_closest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["statsu"]) == 2
    assert "did you mean 'status'?" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["status", "--colour"]) == 2
    assert "--colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--output", "json", "status"], ["status", "--output", "json"], ["status", "-o", "json"]]
)
def test_an_option_stands_before_or_after_the_word(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with DataFlow("sqlite:///:memory:") as db:
        assert app.run(words, db) == 0

    assert json.loads(capsys.readouterr().out)["status"] == "healthy"


def test_an_error_is_a_problem_document_where_json_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert app.run(["status", "-o", "json"]) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "no_application"


@pytest.mark.parametrize(
    ("files", "environ", "option", "place"),
    [
        ({"app.py": MODELS}, {}, None, "app:db"),
        ({"models.py": "import dataflow\nshop: dataflow.DataFlow = dataflow.DataFlow()\n"}, {}, None, "models:shop"),
        ({"app.py": MODELS}, {"DATAFLOW_APP": "shop:base"}, None, "shop:base"),
        ({"app.py": MODELS, "pyproject.toml": '[tool.dataflow]\napp = "a.b:c"'}, {}, None, "a.b:c"),
        ({}, {"DATAFLOW_APP": "shop:base"}, "other", "other:db"),
    ],
)
def test_the_application_is_found(
    files: Mapping[str, str], environ: Mapping[str, str], option: str | None, place: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert str(locate.find(option, environ, tmp_path)) == place


def test_two_of_them_are_an_error_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(MODELS)
    (tmp_path / "db.py").write_text(MODELS)

    with pytest.raises(locate.NoApplicationError, match="app:db, db:db"):
        locate.find(None, {}, tmp_path)


@pytest.mark.usefixtures("imports_are_forgotten")
def test_a_program_is_loaded_without_the_line_that_starts_its_server(tmp_path: Path) -> None:
    (tmp_path / "nexus.py").write_text("class Nexus:\n    def start(self): raise SystemExit(9)\n")
    text = MODELS + "from nexus import Nexus\napp = Nexus()\napp.start()\n"
    (tmp_path / "served_shop.py").write_text(text)

    found = locate.load(locate.Place("served_shop", "db", "a test"), tmp_path)

    assert isinstance(found, DataFlow)
    found.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [("1/0", "ZeroDivisionError"), ("db = 3", "is no DataFlow"), ("import nothing_such", "nothing_such")],
)
def test_a_program_that_is_of_no_use_says_why(text: str, said: str, tmp_path: Path) -> None:
    name = f"broken_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)

    with pytest.raises(locate.UnusableApplicationError, match=said):
        locate.load(locate.Place(name, "db", "a test"), tmp_path)


def test_a_cell_never_moves_the_cursor() -> None:
    assert output.cell("a\x1b[2Jb\nc") == "a [2Jb c"
