"""How often, how long, how many: operations, connections and kept answers, in the text that Prometheus reads.

Rule 1: a label is a model, an operation or an outcome; never an id, a tenant or a value, of which there is no end.
Rule 2: what is logged of a slow operation is its shape: which fields are asked for how, and not for what.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Protocol, assert_never

import msgspec

from dataflow.model import naming
from dataflow.operations import values as ops
from dataflow.options import Options
from kailash.conditions import EVERYTHING, All, Not, Some, Test, Where
from kailash.errors import KailashError

SLOW: Final = 1.0  # seconds; the seeds' default
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

slow_log = logging.getLogger("dataflow.slow")
debug_log = logging.getLogger("dataflow.operations")


class Kept(Protocol):
    """Answers that are kept, and how often they served."""

    hits: int
    misses: int

    def __len__(self) -> int:
        """Return how many there are."""


class Gauge(msgspec.Struct, frozen=True):
    """One number of the moment."""

    name: str
    help: str
    value: float
    kind: str = "gauge"


def monitor(options: Options) -> Monitor | None:
    """Return what measures a database of these options; None where nobody wants to know."""
    if not (options.monitoring or options.debug or options.slow_query_threshold is not None):
        return None
    slow = options.slow_query_threshold
    return Monitor(slow=SLOW if slow is None and options.monitoring else slow, debug=options.debug)


def gauges(sizes: Iterable[tuple[int, int]], cache: Kept | None) -> Iterator[Gauge]:
    """Yield what stands now. sizes: of each pool, (connections, those that wait). cache: the answers that are kept."""
    pools = [*sizes]
    size, idle = sum(each for each, _ in pools), sum(each for _, each in pools)
    yield Gauge("dataflow_pool_connections", "Connections that are open.", size)
    yield Gauge("dataflow_pool_idle_connections", "Connections that wait to be used.", idle)
    if cache is not None:
        yield Gauge("dataflow_cache_hits_total", "Reads that a kept answer served.", cache.hits, "counter")
        yield Gauge("dataflow_cache_misses_total", "Reads that none served.", cache.misses, "counter")
        yield Gauge("dataflow_cache_answers", "Answers that are kept.", len(cache))


class Durations:
    """How long the operations of one kind on one model took."""

    __slots__ = ("buckets", "count", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.count = 0
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.count += 1
        self.seconds += seconds


class Measured:
    """A block in which an operation happens: how long it took, and what became of it, is told to a monitor."""

    __slots__ = ("_began", "_monitor", "_operation")

    def __init__(self, monitor: Monitor, operation: ops.Operation) -> None:
        self._monitor, self._operation = monitor, operation

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._monitor.note(self._operation, time.perf_counter() - self._began, fault)


class Monitor:
    """What the operations of one database came to."""

    def __init__(self, *, slow: float | None, debug: bool) -> None:
        """slow: seconds from which an operation is logged; None: never."""
        self._slow, self._debug = slow, debug
        self._lock = threading.Lock()
        self._durations: dict[tuple[str, str], Durations] = {}
        self._failures: dict[tuple[str, str, str], int] = {}
        self._slows: dict[tuple[str, str], int] = {}

    def measured(self, operation: ops.Operation) -> Measured:
        """Return the block in which *operation* happens."""
        return Measured(self, operation)

    def note(self, operation: ops.Operation, seconds: float, fault: BaseException | None) -> None:
        """Count one operation, and log it where it was slow."""
        key = (operation.model, OPERATIONS[type(operation)])
        slow = self._slow is not None and seconds >= self._slow
        with self._lock:
            durations = self._durations.get(key)
            if durations is None:
                durations = self._durations[key] = Durations()
            durations.note(seconds)
            if fault is not None:
                code = fault.code if isinstance(fault, KailashError) else "fault"
                self._failures[*key, code] = self._failures.get((*key, code), 0) + 1
            if slow:
                self._slows[key] = self._slows.get(key, 0) + 1
        if slow:
            slow_log.warning("%s took %.3f s", shape(operation), seconds)
        if self._debug:
            debug_log.info("%s took %.6f s%s", shape(operation), seconds, f" ({type(fault).__name__})" if fault else "")

    def text(self, gauges: Iterable[Gauge] = ()) -> str:
        """Return all of it in Prometheus' text format, version 0.0.4."""
        with self._lock:
            lines = [*self._lines()]
        for gauge in gauges:
            lines += [
                *_head(gauge.name, gauge.kind, gauge.help),
                f"{gauge.name} {gauge.value:.15g}",
            ]
        return "\n".join([*lines, ""])

    def _lines(self) -> Iterator[str]:
        name = "dataflow_operation_seconds"
        yield from _head(name, "histogram", "Durations of operations.")
        for (model, operation), found in sorted(self._durations.items()):
            labels = (("model", model), ("operation", operation))
            total = 0
            for bound, number in zip((*BUCKETS, None), found.buckets, strict=True):
                total += number
                yield f"{name}_bucket{_labels((*labels, ('le', '+Inf' if bound is None else f'{bound:g}')))} {total}"
            yield f"{name}_sum{_labels(labels)} {found.seconds:.6f}"
            yield f"{name}_count{_labels(labels)} {found.count}"
        yield from _head("dataflow_operation_failures_total", "counter", "Operations that were refused or failed.")
        for (model, operation, code), number in sorted(self._failures.items()):
            coded = (("model", model), ("operation", operation), ("code", code))
            yield f"dataflow_operation_failures_total{_labels(coded)} {number}"
        yield from _head("dataflow_slow_operations_total", "counter", "Operations over slow_query_threshold.")
        for (model, operation), number in sorted(self._slows.items()):
            yield f"dataflow_slow_operations_total{_labels((('model', model), ('operation', operation)))} {number}"


def _head(name: str, kind: str, help: str) -> tuple[str, str]:
    return f"# HELP {name} {help}", f"# TYPE {name} {kind}"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels; the names of models are identifiers, and need no escape."""
    listed = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{{{listed}}}" if listed else ""


OPERATIONS: Final[dict[type, str]] = {
    kind: naming.snake(kind.__name__)
    for kind in (
        ops.Create, ops.Read, ops.Update, ops.Delete, ops.List, ops.Count, ops.Aggregate, ops.Upsert, ops.BulkCreate,
        ops.BulkUpdate, ops.BulkDelete, ops.BulkUpsert,
    )
}  # fmt: skip


# -- shapes --------------------------------------------------------------------------------------------------


def shape(operation: ops.Operation) -> str:
    """Return what *operation* asks for, without a value: ``list of Product where price gte by -price``."""
    parts = [f"{OPERATIONS[type(operation)]} of {operation.model}"]
    if getattr(operation, "id", None) is not None:
        parts.append("by id")
    where: Where = getattr(operation, "where", EVERYTHING)
    if where is not EVERYTHING and (said := _said(where)):
        parts.append(f"where {said}")
    if order := getattr(operation, "order", ()):
        parts.append("sorted by " + ",".join(f"{'-' if key.descending else ''}{key.field}" for key in order))
    batches: Any = getattr(operation, "batches", ())
    if batches:
        parts.append(f"of {sum(len(batch.rows) for batch in batches)} rows")
    return " ".join(parts)


def _said(where: Where) -> str:
    match where:
        case Test():
            return f"{where.field} {where.operator}"
        case All():
            return " and ".join(filter(None, map(_said, where.parts)))
        case Some():
            return f"({' or '.join(map(_said, where.parts))})"
        case Not():
            return f"not ({_said(where.part)})"
        case _:
            assert_never(where)
