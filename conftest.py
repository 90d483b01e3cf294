"""What every test in the repository is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ("kailash_testing_databases",)

# A shared machine is slow without being wrong. HYPOTHESIS_PROFILE=deep looks at many more examples.
# And a suite is run by one class for each database and face.
_CALM = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
settings.register_profile("quick", deadline=None, suppress_health_check=_CALM, max_examples=30)
settings.register_profile("deep", deadline=None, suppress_health_check=_CALM, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
DEEP = 4 * 3600  # seconds that a test of thousands of examples may take


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test take longer that looks at many more examples, also one that says how long it may take."""
    if os.environ.get("HYPOTHESIS_PROFILE") == "deep":
        for item in items:
            item.add_marker(pytest.mark.timeout(DEEP), append=False)


@pytest.fixture
def imports_are_forgotten() -> Iterator[None]:
    """Forget the modules that a test made and imported, and the folders where it looked for them."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]
