"""How many calls, how long, and what came of them, in the text that Prometheus reads.

Rule: a label is a channel, a capability that there is, or the code of an error; never what a caller made up.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from kailash.errors import NoSuchCapabilityError
from nexus.call import Call, Outcome

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
NAME: Final = "nexus_call_seconds"


class Calls:
    """The calls of one application."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._durations: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = {}
        self._outcomes: dict[tuple[str, str, str], int] = {}

    def note(self, call: Call, outcome: Outcome, seconds: float) -> None:
        """Count one call."""
        unknown = isinstance(outcome.error, NoSuchCapabilityError)
        key = (call.channel, "" if unknown else call.capability)
        code = "ok" if outcome.error is None else outcome.error.code
        with self._lock:
            buckets = self._durations.setdefault(key, [0] * (len(BUCKETS) + 1))
            buckets[bisect_left(BUCKETS, seconds)] += 1
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds
            self._outcomes[*key, code] = self._outcomes.get((*key, code), 0) + 1

    def text(self, measured: Iterable[str] = ()) -> str:
        """Return all of it in Prometheus' text format, version 0.0.4, and what providers have *measured*."""
        with self._lock:
            lines = [*self._lines()]
        return "\n".join([*lines, *[each.rstrip("\n") for each in measured], ""])

    def _lines(self) -> Iterator[str]:
        yield f"# HELP {NAME} Durations of calls."
        yield f"# TYPE {NAME} histogram"
        for (channel, capability), buckets in sorted(self._durations.items()):
            labels, total = f'channel="{channel}",capability="{capability}"', 0
            for bound, number in zip((*BUCKETS, None), buckets, strict=True):
                total += number
                yield f'{NAME}_bucket{{{labels},le="{"+Inf" if bound is None else f"{bound:g}"}"}} {total}'
            yield f"{NAME}_sum{{{labels}}} {self._seconds[channel, capability]:.6f}"
            yield f"{NAME}_count{{{labels}}} {total}"
        yield "# HELP nexus_calls_total Calls, by what came of them."
        yield "# TYPE nexus_calls_total counter"
        for (channel, capability, code), number in sorted(self._outcomes.items()):
            yield f'nexus_calls_total{{channel="{channel}",capability="{capability}",code="{code}"}} {number}'
