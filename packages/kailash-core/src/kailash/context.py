"""Who is asking, for whom, over which channel, and until when.

Rule 1: a context is passed explicitly, from the channel down to the executor; it is never a global.
Rule 2: what a program does itself while it answers (an endpoint, a step's own function) has no channel to hand it a
        context: `current` is the one that the code around it acts in. Tasks, and threads that a runtime borrows, have
        that of their beginning; a thread that a program starts by itself begins with none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Self

import msgspec


class Cancellation:
    """A wish, made by anybody in any thread, that the work of a context ends now."""

    __slots__ = ("_listeners", "_lock", "requested")

    def __init__(self) -> None:
        self.requested = False
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._lock = threading.Lock()

    def request(self) -> None:
        """Ask for the end; asking again changes nothing."""
        with self._lock:
            listeners = () if self.requested else self._listeners
            self.requested = True
        for listener in listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call *listener* once, in the asking thread, or at once when it was asked; return what ends listening."""
        with self._lock:
            late = self.requested
            if not late:
                self._listeners = (*self._listeners, listener)
        if late:
            listener()
        return lambda: self._forget(listener)

    def _forget(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one request."""

    principal: str | None = None
    tenant: str | None = None
    all_tenants: str = ""  # why an administrator acts for every tenant at once; empty: for one
    roles: frozenset[str] = frozenset()
    request_id: str = ""
    channel: str = "python"  # "rest", "cli", "mcp", "ws"; "python" for a direct call
    deadline: float | None = None  # seconds on time.monotonic()
    cancellation: Cancellation | None = None
    progress: Callable[[Any], None] | None = None  # hears of every step of a workflow: a runtime's `StepEvent`
    idempotency_key: str = ""  # chosen by the caller: the same key means the same run of a durable workflow


ANONYMOUS = Context()
_CURRENT: Final[ContextVar[Context]] = ContextVar("kailash_context", default=ANONYMOUS)

current: Final[Callable[[], Context]] = _CURRENT.get  # returns the context that this code acts in


def inherited() -> Context:
    """Return who acts here and for whom, without what belongs to one call alone: what a run that begins here has."""
    around = _CURRENT.get()
    if around is ANONYMOUS:
        return ANONYMOUS
    return msgspec.structs.replace(around, deadline=None, cancellation=None, progress=None, idempotency_key="")


def set_current(context: Context) -> None:
    """Act in *context* from here on, in this task or thread."""
    _CURRENT.set(context)


def settled(context: Context) -> Context:
    """Return *context*, for the tenant of the code around it where it names none itself."""
    if context.tenant is not None or context.all_tenants:
        return context
    around = _CURRENT.get()
    if around.tenant is None and not around.all_tenants:
        return context
    return msgspec.structs.replace(context, tenant=around.tenant, all_tenants=around.all_tenants)


class Acting:
    """``with Acting(context):`` or ``async with``: the body, and what it begins, acts in *context*. Used once."""

    __slots__ = ("_before", "_context")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._before = ANONYMOUS

    def __enter__(self) -> Self:
        self._before = _CURRENT.get()
        _CURRENT.set(self._context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _CURRENT.set(self._before)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
