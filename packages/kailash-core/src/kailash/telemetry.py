"""What a measuring instrument must offer, and the one that measures nothing.

Rule: a label has a bounded set of values (a model, an operation, a route template); never an id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Meter(Protocol):
    """Counts events and records durations."""

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Add *amount* to the counter *name*."""

    def observe(self, name: str, labels: Mapping[str, str], seconds: float) -> None:
        """Record one duration, in seconds."""


class NoMeter:
    """A meter that measures nothing and costs nothing."""

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Ignore the event."""

    def observe(self, name: str, labels: Mapping[str, str], seconds: float) -> None:
        """Ignore the duration."""
