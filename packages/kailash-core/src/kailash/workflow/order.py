"""In what order steps run: edges, cycles, and program order around writes. Pure functions over indices.

The order is the one in which the steps would run one after another, each time the earliest in program order
of those whose edges allow it. Reads and writes then keep that order among themselves; the rest is free.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from kailash.nodes.nodetype import Effect

Edges = Sequence[Iterable[int]]  # edges[i]: the steps that must be done before step i


def arrange(edges: Edges) -> tuple[list[int], list[int]]:
    """Return (order, stuck): every step that can be ordered, in order, and those that wait in a circle."""
    waiting = [0] * len(edges)
    after: list[list[int]] = [[] for _ in edges]
    for step, needed in enumerate(edges):
        for source in set(needed):
            after[source].append(step)
            waiting[step] += 1
    ready = [step for step, count in enumerate(waiting) if count == 0]
    order = []
    while ready:
        step = heapq.heappop(ready)
        order.append(step)
        for later in after[step]:
            waiting[later] -= 1
            if waiting[later] == 0:
                heapq.heappush(ready, later)
    return order, [step for step, count in enumerate(waiting) if count]


def circle(edges: Edges, stuck: Iterable[int]) -> list[int]:
    """Return one circle among the *stuck* steps, in the direction of the flow, its first step repeated at the end."""
    among = set(stuck)
    step = min(among)
    seen: dict[int, int] = {}
    path: list[int] = []
    while step not in seen:
        seen[step] = len(path)
        path.append(step)
        step = min(each for each in edges[step] if each in among)
    found = path[seen[step] :][::-1]
    first = found.index(min(found))
    return [*found[first:], *found[:first], found[first]]


def with_effects(edges: Edges, effects: Sequence[Effect], order: Sequence[int]) -> list[set[int]]:
    """Return *edges* and those of program order: a write waits for all before it since the last write, and for that."""
    wider = [set(needed) for needed in edges]
    last_write: int | None = None
    reads: list[int] = []
    for step in order:
        effect = effects[step]
        if effect == "pure":
            continue
        if last_write is not None and (effect == "reads" or not reads):
            wider[step].add(last_write)
        if effect == "reads":
            reads.append(step)
        else:
            wider[step].update(reads)
            last_write, reads = step, []
    return wider


def between(edges: Edges, first: int, last: int) -> set[int]:
    """Return the steps on all ways from *first* to *last*, both included; empty when there is no way."""
    after: dict[int, list[int]] = {}
    for step, needed in enumerate(edges):
        for source in needed:
            after.setdefault(source, []).append(step)
    upstream = _reach(last, {step: list(needed) for step, needed in enumerate(edges)})
    return _reach(first, after) & upstream if first in upstream else set()


def _reach(start: int, ways: Mapping[int, Iterable[int]]) -> set[int]:
    seen = {start}
    front = [start]
    while front:
        for step in ways.get(front.pop(), ()):
            if step not in seen:
                seen.add(step)
                front.append(step)
    return seen
