"""How much slower or faster, and how sure one can be: the ratio of paired measurements, with its interval.

Rule 1: what is compared are pairs, measured one after the other; a machine that grows slower meets both sides.
Rule 2: the middle is a median and the interval comes from resampling (a percentile bootstrap, Efron 1979): times have
long tails, and no bell may be assumed. The same numbers give the same interval: the draw is seeded.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95
DRAWS: Final = 2_000
WORSE: Final = 1.25  # the ratio that a release may not exceed


class Interval(NamedTuple):
    """A ratio, now over before, and between which bounds it lies, with `CONFIDENCE`."""

    low: float
    middle: float
    high: float

    @property
    def verdict(self) -> str:
        """What can be said: nothing worse than that it is worse is said without confidence."""
        if self.low > WORSE:
            return "WORSE"
        if self.high < 1 / WORSE:
            return "better"
        return "unsure" if self.high > WORSE and self.middle > WORSE else "as before"

    @property
    def open(self) -> bool:
        """Whether more measurements could change the verdict to the worse."""
        return self.low <= WORSE < self.high


def interval(before: Sequence[float], now: Sequence[float]) -> Interval:
    """Return the interval of the median of ``now / before``, pair by pair.

    Raises: ValueError where there are no pairs, or a time is not above zero.
    """
    if len(before) != len(now) or not before or min(*before, *now) <= 0:
        raise ValueError("times come in pairs, each above zero")
    ratios = [mine / theirs for theirs, mine in zip(before, now, strict=True)]
    draw = random.Random(len(ratios))
    medians = sorted(median(draw.choices(ratios, k=len(ratios))) for _ in range(DRAWS))
    beyond = (1 - CONFIDENCE) / 2
    return Interval(medians[int(DRAWS * beyond)], median(ratios), medians[int(DRAWS * (1 - beyond)) - 1])
