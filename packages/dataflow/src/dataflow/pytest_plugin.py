"""A plugin of pytest, found by its entry point.

Rule: what costs a test of another program anything is not imported before a `DataFlow` is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dataflow.database import DataFlow


@pytest.fixture
def isolated() -> Iterator[Callable[[DataFlow], DataFlow]]:
    """Give a function that isolates a database for the rest of the test: `dataflow.testing.isolated`."""
    from dataflow.testing import isolated as block  # everything that an operation needs

    with ExitStack() as held:
        yield lambda db: held.enter_context(block(db))


@pytest.fixture(autouse=True)
def _tdd_mode() -> Iterator[None]:
    """Isolate each test from the others in every database that was made with *tdd_mode* or *test_mode* before it."""
    with ExitStack() as held:
        for db in _in_tdd_mode():
            held.enter_context(sys.modules["dataflow.testing"].isolated(db))
        yield


def _in_tdd_mode() -> list[Any]:
    module = sys.modules.get("dataflow.database")
    if module is None:
        return []
    from kailash.nodes.registry import NodeRegistry  # loaded, with the database

    found = [each for each in NodeRegistry.default().providers if isinstance(each, module.DataFlow)]
    chosen = [db for db in found if db.options.tdd_mode or db.options.test_mode]
    if chosen:
        import dataflow.testing  # noqa: F401 - light, once the database is there
    return chosen
