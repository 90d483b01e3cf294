"""Ours against the limit, in one run: interleaved rounds, medians, wall time and processor time.

Rule 1: a figure is a ratio of two measurements of the same run on the same machine; it is no test of the machine.
Rule 2: both sides are warm, do the same work on the same rows, and give the same kind of answer.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import msgspec


class Line(msgspec.Struct, frozen=True):
    """One row of the table. Times in seconds for one call."""

    what: str
    ours: float
    limit: float
    ours_cpu: float
    limit_cpu: float
    reach: float
    aim: float | None
    throughput: bool = False  # the ratio is of calls a second, and more is better
    absolute: bool = False  # reach and aim are seconds of ours; the limit is there to be seen
    least: tuple[float, float] = (0.0, 0.0)  # ours and the limit's in the round that was disturbed least

    @property
    def ratio(self) -> float:
        """Ours over the limit's: time (less is better), or calls a second (more is better)."""
        return self.limit / self.ours if self.throughput else self.ours / self.limit

    @property
    def verdict(self) -> str:
        """Whether the ratio holds what was set."""
        if self.aim is not None and self._holds(self.aim):
            return "aim"
        return "reach" if self._holds(self.reach) else "MISSED"

    def _holds(self, bound: float) -> bool:
        if self.absolute:
            return self.ours <= bound
        return self.ratio >= bound if self.throughput else self.ratio <= bound


class Sample(msgspec.Struct, frozen=True):
    """Seconds a call of one round."""

    wall: float
    cpu: float


def compare(
    what: str,
    ours: Callable[[], Any],
    limit: Callable[[], Any],
    *,
    reach: float,
    aim: float | None = None,
    calls: int = 200,
    rounds: int = 15,
    throughput: bool = False,
    paired: bool = False,
) -> Line:
    """Measure two blocking callables in turn, each of them first as often as second.

    paired: ours is what the median of the rounds' own ratios makes of the limit, for two sides that differ by little:
    what slows a round slows both of them.
    """
    for warm in (ours, limit):
        _timed(warm, max(1, calls // 4))
    samples = []
    for turn in range(rounds):
        first, second = (limit, ours) if turn % 2 else (ours, limit)
        one, other = _timed(first, calls), _timed(second, calls)
        samples.append((one, other) if turn % 2 else (other, one))
    return _line(what, samples, reach, aim, throughput, paired=paired)


async def acompare(
    what: str,
    ours: Callable[[], Awaitable[Any]],
    limit: Callable[[], Awaitable[Any]],
    *,
    reach: float,
    aim: float | None = None,
    calls: int = 200,
    rounds: int = 15,
    tasks: int = 1,
    paired: bool = False,
) -> Line:
    """Measure two coroutine functions in turn on the running loop; with *tasks*, that many at once, by throughput."""
    for warm in (ours, limit):
        await _atimed(warm, max(1, calls // 4), tasks)
    samples = []
    for turn in range(rounds):
        first, second = (limit, ours) if turn % 2 else (ours, limit)
        one, other = await _atimed(first, calls, tasks), await _atimed(second, calls, tasks)
        samples.append((one, other) if turn % 2 else (other, one))
    return _line(what, samples, reach, aim, tasks > 1, paired=paired)


def held_to(line: Line, *, reach: float, aim: float, parts: int = 1) -> Line:
    """Return *line* for one of the *parts* of a call, held to seconds of ours rather than to a ratio.

    Times are those of the round that was disturbed least: what else the machine did is in no ratio here.
    """
    ours, limit = line.least
    return Line(
        line.what,
        ours / parts,
        limit / parts,
        line.ours_cpu / parts,
        line.limit_cpu / parts,
        reach,
        aim,
        absolute=True,
    )


def added(line: Line, *, reach: float, aim: float) -> Line:
    """Return what ours takes longer than the limit, in seconds, held to seconds; the limit is there to be seen.

    *line* is of pairs: what a call takes longer is of the rounds in which it did, not of two that were hours apart.
    """
    return Line(
        f"{line.what} (more)",
        line.ours - line.limit,
        line.limit,
        line.ours_cpu - line.limit_cpu,
        line.limit_cpu,
        reach,
        aim,
        absolute=True,
    )


def _line(
    what: str,
    samples: list[tuple[Sample, Sample]],
    reach: float,
    aim: float | None,
    throughput: bool,
    *,
    paired: bool = False,
) -> Line:
    limits, ours = [limit for limit, _ in samples], [mine for _, mine in samples]
    wall, cpu = median([each.wall for each in ours]), median([each.cpu for each in ours])
    if paired:
        wall = median([each.wall for each in limits]) * median([mine.wall / limit.wall for limit, mine in samples])
        cpu = median([each.cpu for each in limits]) * median([mine.cpu / limit.cpu for limit, mine in samples])
    return Line(
        what,
        wall,
        median([each.wall for each in limits]),
        cpu,
        median([each.cpu for each in limits]),
        reach,
        aim,
        throughput,
        least=(min(each.wall for each in ours), min(each.wall for each in limits)),
    )


def _timed(call: Callable[[], Any], calls: int) -> Sample:
    gc.collect()
    for _ in range(calls // 10):  # the collector has been everywhere
        call()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        call()
    return Sample((time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls)


async def _atimed(call: Callable[[], Awaitable[Any]], calls: int, tasks: int) -> Sample:
    gc.collect()

    async def worker(share: int) -> None:
        for _ in range(share):
            await call()

    await worker(calls // 10)
    wall, cpu = time.perf_counter(), time.process_time()
    if tasks == 1:
        await worker(calls)
    else:
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(worker(max(1, calls // tasks)))
    done = calls if tasks == 1 else tasks * max(1, calls // tasks)
    return Sample((time.perf_counter() - wall) / done, (time.process_time() - cpu) / done)


def table(lines: list[Line]) -> str:
    """Return the lines as text, one a row, in microseconds a call."""
    header = f"{'what':58} {'ours us':>10} {'limit us':>10} {'ratio':>7} {'cpu':>6} {'reach':>6} {'aim':>6}"
    rows = [header, "-" * len(header)]
    for line in lines:
        cpu = line.ours_cpu / line.limit_cpu if line.limit_cpu else 0.0
        rows.append(
            f"{line.what:58} {line.ours * 1e6:10.1f} {line.limit * 1e6:10.1f} {line.ratio:6.2f}x {cpu:5.2f}x"
            f" {_bound(line, line.reach)} {_bound(line, line.aim)} {line.verdict}"
        )
    return "\n".join(rows)


def _bound(line: Line, bound: float | None) -> str:
    if bound is None:
        return " " * 6
    return f"{bound * 1e6:4.0f}us" if line.absolute else f"{bound:5.2f}x"
