"""What tests of plans, and of programs made of plans, build on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kailash.events import Event


class Answers:
    """Answers the effects of a plan from a list: `drive(plan, answers([...]))` needs no database.

    A reply that is an exception is raised. ``asked`` holds the effects so far.
    """

    def __init__(self, replies: Iterable[Any]) -> None:
        self._replies = list(replies)
        self.asked: list[Any] = []

    def __call__(self, effect: Any) -> Any:
        self.asked.append(effect)
        if len(self.asked) > len(self._replies):
            raise AssertionError(f"the plan asked once more than there are answers: {effect!r}")
        reply = self._replies[len(self.asked) - 1]
        if isinstance(reply, BaseException):
            raise reply
        return reply


def answers(replies: Iterable[Any]) -> Answers:
    """Return what answers a plan's effects with *replies*, one after the other."""
    return Answers(replies)


class FakeClock:
    """A clock that stands still until it is told to move. Seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds


class RecordingBus:
    """A bus that keeps what it was given."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Do nothing: nothing is ever delivered."""
        return lambda: None
