"""What every test in the repository is given."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ("kailash_testing_databases",)

# A shared machine is slow without being wrong. HYPOTHESIS_PROFILE=deep looks at many more examples.
# And a suite is run by one class for each database and face.
_CALM = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
settings.register_profile("quick", deadline=None, suppress_health_check=_CALM, max_examples=30)
settings.register_profile("deep", deadline=None, suppress_health_check=_CALM, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
