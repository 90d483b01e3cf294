"""A plugin of pytest, found by its entry point.

Rule: what costs a test of another program anything is not imported before a `DataFlow` is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow import testing
    from dataflow.database import DataFlow
    from dataflow.testing import Template
    from kailash.nodes import registry
else:  # everything that an operation needs
    testing, registry = Late("dataflow.testing"), Late("kailash.nodes.registry")

TEMPLATES: pytest.StashKey[dict[DataFlow, Template]] = pytest.StashKey()


@pytest.fixture
def isolated() -> Iterator[Callable[[DataFlow], DataFlow]]:
    """Give a function that isolates a database for the rest of the test: `dataflow.testing.isolated`."""
    with ExitStack() as held:
        yield lambda db: held.enter_context(testing.isolated(db))


@pytest.fixture(autouse=True)
def _tdd_mode(request: pytest.FixtureRequest) -> Iterator[None]:
    """Isolate each test from the others in every database that was made with *tdd_mode* or *test_mode* before it."""
    with ExitStack() as held:
        for db in _in_tdd_mode():
            if "template" in (db.options.tdd_mode, db.options.test_mode):
                templates = request.config.stash.setdefault(TEMPLATES, {})
                if db not in templates:
                    templates[db] = testing.Template(db)
                held.callback(templates[db].restore)
            else:
                held.enter_context(testing.isolated(db))
        yield


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Forget what the databases held before the first test."""
    for template in session.config.stash.get(TEMPLATES, {}).values():
        template.drop()


def _in_tdd_mode() -> list[DataFlow]:
    module = sys.modules.get("dataflow.database")
    if module is None:
        return []
    found = [each for each in registry.NodeRegistry.default().providers if isinstance(each, module.DataFlow)]
    return [db for db in found if db.options.tdd_mode or db.options.test_mode]
