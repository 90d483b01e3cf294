"""Hearing of what others write: what is kept of a database must know when it gets old.

Rule: *changed* is called before `Watch.fresh` says so: with what changed, as the database calls it, or with "" where
      that is not known and all may have changed.
"""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Somebody who looks, or listens."""

    def begin(self) -> None:
        """Begin, so that the first question is answered; never raises. Idempotent."""

    def fresh(self) -> bool:
        """Whether all that others had committed was told, as far as it can be known here and now."""

    def catch_up(self) -> bool:
        """Return once all is told that was committed before; whether it could be."""

    def close(self) -> None:
        """End. Idempotent; it can begin again."""


class Unshared:
    """Of a database that nobody else can reach."""

    def begin(self) -> None:
        """Nothing to hear."""

    def fresh(self) -> bool:
        return True

    def catch_up(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing to end."""
