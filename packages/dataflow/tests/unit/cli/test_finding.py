"""``dataflow discover`` and ``dataflow verify``."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Annotated

import pytest

from dataflow import DataFlow, ForeignKey
from dataflow.cli import app


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a database that nobody has models for, which the environment names."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INT REFERENCES customers)")
    connection.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///shop.db")
    return tmp_path


def test_discover_tells_what_is_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["discover", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tables"]["orders"]["foreign_keys"][0]["table"] == "customers"

    assert app.run(["discover", "-o", "table", "--table", "orders"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["orders", "table", "2", "id", "0", "customers"]

    assert app.run(["discover", "--mermaid"]) == 0
    assert 'customers |o--o{ orders : "customer_id"' in capsys.readouterr().out


def test_discover_writes_models_and_asks_before_it_writes_over_some(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["discover", "--write", "models.py"]) == 0
    assert "class Order:" in (here / "models.py").read_text()
    (here / "models.py").write_text("mine")

    assert app.run(["discover", "--write", "models.py"]) == 6
    assert (here / "models.py").read_text() == "mine"
    assert "confirmation" in capsys.readouterr().err

    assert app.run(["discover", "--write", "models.py", "--yes"]) == 0
    assert "class Order:" in (here / "models.py").read_text()


def test_verify_tells_what_is_wrong_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Customer:
            name: str

        @db.model
        class Order:
            customer_id: int
            __indexes__ = [{"fields": ["customer_id"]}]

        db.prepare()
        assert app.run(["verify"], db) == 0
        assert "everything is in order" in capsys.readouterr().err

        db.express_sync.create("Order", {"customer_id": 7})
        assert app.run(["verify", "--ids", "5", "-o", "json"], db) == 1

    (found,) = json.loads(capsys.readouterr().out)
    assert (found["what"], found["count"], found["ids"]) == ("orphans", 1, [1])


def test_verify_draws_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Customer:
            name: str

        @db.model
        class Order:
            customer_id: Annotated[int, ForeignKey("Customer.id")]

        assert app.run(["verify", "--mermaid"], db) == 0

    assert 'Customer ||--o{ Order : "customer_id"' in capsys.readouterr().out
