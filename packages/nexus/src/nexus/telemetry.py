"""OpenTelemetry spans: one for a run of a workflow, one for each of its steps.

Rule 1: nothing happens, and nothing is imported, unless the program has set a tracer provider.
Rule 2: a span holds names, numbers and the class of an error; never a value, nor a message, which may quote one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kailash._lazy import Late
from kailash._undo import Noting
from kailash.context import Context
from kailash.runtime.base import Observer, StepEvent

if TYPE_CHECKING:
    from opentelemetry import trace as opentelemetry
    from opentelemetry.trace import Span, Tracer
else:
    opentelemetry = Late("opentelemetry.trace")


def traced(workflow: str, context: Context) -> AbstractContextManager[Context]:
    """Give the context in which a run of *workflow* is seen; a span is current until the block ends."""
    tracer = _tracer()
    return nullcontext(context) if tracer is None else _spanned(tracer, workflow, context)


@contextmanager
def _spanned(tracer: Tracer, workflow: str, context: Context) -> Iterator[Context]:
    with (
        tracer.start_as_current_span(
            f"workflow {workflow}",
            attributes={"kailash.workflow": workflow, "kailash.channel": context.channel},
            record_exception=False,
            set_status_on_exception=False,
        ) as span,
        Noting(partial(_fail, span)),
    ):
        yield replace(context, progress=Steps(tracer, span, context.progress))


class Steps:
    """Hears of the steps of one run, makes spans of them, and passes on what it heard."""

    def __init__(self, tracer: Tracer, run: Span, listener: Observer | None) -> None:
        self._tracer = tracer
        self._run = run
        self._listener = listener
        self._open: dict[str, Span] = {}

    def __call__(self, event: StepEvent) -> None:
        match event.what:
            case "started":
                self._open[event.path] = self._begin(event)
            case "retrying":
                self._open[event.path].add_event("retry", _attempt(event))
            case "recalled":
                span = self._begin(event)
                span.set_attribute("kailash.recalled", True)
                span.end()
            case _:
                self._end(event)
        if self._listener is not None:
            self._listener(event)

    def _begin(self, event: StepEvent) -> Span:
        self._run.set_attribute("kailash.run_id", event.run_id)
        parent = self._open.get(event.path.rpartition(".")[0], self._run)
        attributes: dict[str, Any] = {"kailash.step": event.path, "kailash.node": event.node}
        inside = opentelemetry.set_span_in_context(parent)
        return self._tracer.start_span(f"step {event.path}", context=inside, attributes=attributes)

    def _end(self, event: StepEvent) -> None:
        span = self._open.pop(event.path, None)
        if span is None:
            return
        span.set_attribute("kailash.attempts", event.attempt)
        if event.error is not None:
            _fail(span, event.error)
        span.end()


def _attempt(event: StepEvent) -> dict[str, Any]:
    return {"attempt": event.attempt, "error": type(event.error).__qualname__}


def _fail(span: Span, error: BaseException) -> None:
    span.set_status(opentelemetry.Status(opentelemetry.StatusCode.ERROR, type(error).__qualname__))
    span.set_attribute("error.type", type(error).__qualname__)


def _tracer() -> Tracer | None:
    """Return the tracer of the provider that the program, or its agent, set; None where there is none."""
    trace = sys.modules.get("opentelemetry.trace")  # who sets a provider has imported it
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    tracer: Tracer = provider.get_tracer("nexus")
    return tracer
