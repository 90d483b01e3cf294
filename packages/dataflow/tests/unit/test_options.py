"""The keywords of DataFlow: today's names, older ones, and those of later versions."""

from __future__ import annotations

import warnings
from importlib import import_module

import pytest

import dataflow
from dataflow import DataFlow
from kailash.errors import ConfigurationError

MEMORY = "sqlite:///:memory:"


@pytest.mark.parametrize(
    ("older", "now", "expected"),
    [({"connection_pool_size": 7}, "pool_size", 7), ({"skip_migration": True}, "migration_enabled", False)],
)
def test_an_older_name_works_and_says_the_new_one(older: dict[str, object], now: str, expected: object) -> None:
    with pytest.warns(DeprecationWarning, match=now) as warned:
        db = DataFlow(MEMORY, **older)

    assert getattr(db.options, now) == expected
    assert len(warned) == 1
    assert warned[0].filename == __file__


def test_an_older_name_may_stand_beside_its_new_one_if_both_say_the_same() -> None:
    with pytest.warns(DeprecationWarning, match="pool_size"):
        db = DataFlow(MEMORY, connection_pool_size=7, pool_size=7)

    assert db.options.pool_size == 7
    with pytest.warns(DeprecationWarning, match="pool_size"), pytest.raises(TypeError, match="with two values"):
        DataFlow(MEMORY, connection_pool_size=7, pool_size=8)


@pytest.mark.parametrize("name", ["skip_registry", "enable_model_persistence", "enable_schema_discovery"])
def test_a_name_that_is_no_longer_needed_warns_and_changes_nothing(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=name):
        db = DataFlow(MEMORY, **{name: True})

    assert db.options == DataFlow(MEMORY).options


def test_a_way_to_detect_changes_that_would_see_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="see no tenant's records"):
        DataFlow("postgresql://localhost/x", change_detection_method="polling", row_level_security=True)


def test_an_unknown_keyword_is_refused_with_the_closest_name() -> None:
    with pytest.raises(TypeError, match="pool_size"):
        DataFlow(MEMORY, poolsize=5)


@pytest.mark.parametrize(
    "wrong",
    [{"pool_size": 0}, {"pool_size": "five"}, {"migration_lock_timeout": -1}, {"change_detection_method": "magic"}],
)
def test_a_wrong_value_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        DataFlow(MEMORY, **wrong)


def test_the_url_comes_from_the_environment_or_is_a_file_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    assert DataFlow().options.database_url == "sqlite:///elsewhere.db"
    monkeypatch.delenv("DATABASE_URL")
    assert DataFlow().options.database_url == "sqlite:///dataflow.db"


def test_the_older_address_warns_and_works() -> None:
    with pytest.warns(DeprecationWarning, match=r"dataflow\.DataFlow"):
        found = import_module("dataflow.core.engine").DataFlow

    assert found is dataflow.DataFlow


def test_making_one_does_no_input_or_output(tmp_path: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DataFlow("postgresql://nobody@192.0.2.1/nowhere")
