"""What the nodes of one run share: the context of the request, and resources held until the run ends.

Rule 1: a scope belongs to one run and ends with it; nodes never keep one.
Rule 2: a resource (an open transaction) is held under a key, and is closed exactly once, told whether the
        run succeeded; the last held is closed first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from typing import Any, Protocol, TypeVar

from kailash.context import ANONYMOUS, Context
from kailash.errors import RuntimeExecutionError

T = TypeVar("T")


class Held(Protocol):
    """Something that must be given back when the run ends, such as a transaction."""

    def close(self, *, success: bool) -> None:
        """Give it back, blocking: keep what was done when *success*, undo it otherwise."""

    async def aclose(self, *, success: bool) -> None:
        """Give it back, under asyncio."""


class StepJournal(Protocol):
    """What a node may do itself about being remembered: write its record in the transaction of its effects."""

    @property
    def store(self) -> Any:
        """Where it is written down; a store that stands before another one has it as its own ``store``."""

    def note(self, path: str, output: Any) -> None:
        """Remember what the step at *path* gives; noting it again changes nothing."""

    def take(self) -> Sequence[tuple[str, bytes]]:
        """Return (path, packed output) of all that was noted and is not written down; the caller writes it now."""

    def restore(self, steps: Sequence[tuple[str, bytes]], undone: str) -> None:
        """Take back what could not be written down; the step at *undone* was rolled back with it."""


class Runner(Protocol):
    """Runs a workflow inside a run: what nested workflows and loops ask for."""

    def run(self, workflow: Any, inputs: Mapping[str, Any], scope: Scope, path: str) -> dict[str, Any]:
        """Run *workflow*, blocking; return {node id: output}. path: where in the run, for the journal."""

    def arun(self, workflow: Any, inputs: Mapping[str, Any], scope: Scope, path: str) -> Awaitable[dict[str, Any]]:
        """Run *workflow* under asyncio; return {node id: output}."""


class Scope:
    """One run, as its nodes see it.

    ``failures`` lists (node id, error) of every node that failed so far, those that the author let pass with
    ``on_error="continue"`` included: a transaction commits only while it is empty.
    ``path`` says where in the run a step is ("checkout", "loop.3.pay"); empty outside a step.
    ``journal`` is there when the run is durable.
    ``around`` holds context variables that the author's own functions are called with: what they do through the
    library of a held resource belongs to it, as an open transaction.
    """

    __slots__ = ("_held", "around", "context", "failures", "journal", "path", "run_id", "runner")

    def __init__(self, context: Context = ANONYMOUS, run_id: str = "", runner: Runner | None = None) -> None:
        self.context = context
        self.run_id = run_id
        self.runner = runner
        self.path = ""
        self.journal: StepJournal | None = None
        self.failures: list[tuple[str, BaseException]] = []
        self.around: dict[ContextVar[Any], Any] = {}
        self._held: dict[Any, Held] = {}

    def within(self, context: Context, path: str) -> Scope:
        """Return the same run seen under another context (a tighter deadline) or from a step."""
        inner = Scope.__new__(Scope)
        inner.context = context
        inner.run_id = self.run_id
        inner.runner = self.runner
        inner.path = path
        inner.journal = self.journal
        inner.failures = self.failures
        inner.around = self.around
        inner._held = self._held
        return inner

    def find(self, key: Any) -> Held | None:
        """Return what is held under *key*, or None."""
        return self._held.get(key)

    def hold(self, key: Any, resource: Held) -> None:
        """Hold *resource* until it is released or the run ends.

        Raises: RuntimeExecutionError when *key* is taken.
        """
        if key in self._held:
            raise RuntimeExecutionError(f"this run already holds {key!r}", hint="release it first")
        self._held[key] = resource

    @property
    def holding(self) -> bool:
        """Whether anything is held."""
        return bool(self._held)

    def release(self, key: Any) -> Held | None:
        """Hold *key* no longer; the caller has closed it, or will."""
        return self._held.pop(key, None)

    def inside(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call *function* with the variables of ``around`` set."""
        context = copy_context()
        for variable, value in self.around.items():
            context.run(variable.set, value)
        return context.run(function, *arguments, **named)

    def close(self, *, success: bool) -> None:
        """Close all that is held, blocking. After the first that cannot be kept, the rest is undone.

        Raises: what the first failing resource raised, after all were closed.
        """
        fault: BaseException | None = None
        while self._held:
            _, resource = self._held.popitem()
            try:
                resource.close(success=success and fault is None)
            except BaseException as error:  # noqa: BLE001 - raised below, after all were closed
                fault = fault or error
        if fault is not None:
            raise fault

    async def aclose(self, *, success: bool) -> None:
        """Like `close`, under asyncio."""
        fault: BaseException | None = None
        while self._held:
            _, resource = self._held.popitem()
            try:
                await resource.aclose(success=success and fault is None)
            except BaseException as error:  # noqa: BLE001 - raised below, after all were closed
                fault = fault or error
        if fault is not None:
            raise fault
