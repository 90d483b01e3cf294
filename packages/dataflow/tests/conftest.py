"""What every test of dataflow is given."""

from __future__ import annotations

from suites.fixtures import blocking, executor, faced, opened

__all__ = ["blocking", "executor", "faced", "opened"]
