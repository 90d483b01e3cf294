"""The journal of a run: what each finished step gave, so that a run that was cut off goes on where it was.

Rule 1: steps that finished are never repeated; the one that was cut off is.
Rule 2: while a run holds a transaction nothing is written down: what is rolled back did not happen.
Rule 3: a wave of steps is one statement.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from kailash.errors import RuntimeExecutionError
from kailash.nodes.scope import Scope
from kailash.workflow.packing import pack, unpack

Status: TypeAlias = Literal["running", "done", "failed"]
MISSING: Final = object()


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a store knows of a run. given: its packed inputs; steps: {path: packed output}, as JSON."""

    run_id: str
    workflow: str  # fingerprint
    name: str
    given: bytes
    status: Status
    steps: Mapping[str, bytes] = {}


class RunStore(Protocol):
    """Keeps the journals of runs. Blocking methods, and their asyncio twins."""

    def begin(self, record: RunRecord) -> RunRecord:
        """Write down that this run begins; return it as it is stored: with its steps, if it began before."""

    def keep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        """Write down the outputs of finished steps, all or none."""

    def finish(self, run_id: str, status: Status) -> None:
        """Write down how the run ended."""

    async def abegin(self, record: RunRecord) -> RunRecord:
        """Like `begin`."""

    async def akeep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
        """Like `keep`."""

    async def afinish(self, run_id: str, status: Status) -> None:
        """Like `finish`."""


class Journal:
    """One run's part of a store, as the runtimes use it: what is remembered, and what is yet to be written."""

    __slots__ = ("_noted", "_pending", "_remembered", "_uncertain", "run_id", "store")

    def __init__(self, store: RunStore, record: RunRecord) -> None:
        self.store = store
        self.run_id = record.run_id
        self._remembered = record.steps
        self._pending: deque[tuple[str, bytes]] = deque()  # appended to by threads while another one takes
        self._noted: set[str] = set()
        self._uncertain = False  # whether what is pending may yet be rolled back

    def recall(self, path: str) -> Any:
        """Return the output that the step gave before, or MISSING."""
        written = self._remembered.get(path)
        return MISSING if written is None else unpack(msgspec.json.decode(written))

    def note(self, path: str, output: Any) -> None:
        """Remember to write down the output of a step; noting it again changes nothing.

        Raises: InvalidInputError when it cannot be written.
        """
        if path not in self._noted:
            self._pending.append((path, msgspec.json.encode(pack(output))))
            self._noted.add(path)

    def take(self) -> Sequence[tuple[str, bytes]]:
        """Return what is pending, which the caller writes down in a transaction of its own."""
        taken = []
        while self._pending:
            taken.append(self._pending.popleft())
        return taken

    def restore(self, steps: Sequence[tuple[str, bytes]], undone: str) -> None:
        """Take back what was taken and could not be written down, but not the step at *undone*: it did not happen."""
        self._noted.discard(undone)
        self._pending.extendleft(reversed([step for step in steps if step[0] != undone]))

    def due(self, scope: Scope) -> Sequence[tuple[str, bytes]]:
        """Return what is to be written now, which is then no longer pending; nothing while *scope* holds something."""
        self._uncertain = scope.holding
        return () if self._uncertain or not self._pending else self.take()

    def forget(self) -> None:
        """Forget what is pending if it was done under something that is rolled back now."""
        if self._uncertain:
            self._pending.clear()


def first_record(workflow: Any, run_id: str, inputs: Any, parameters: Any) -> RunRecord:
    """Return the record of a run that begins now."""
    given = msgspec.json.encode(pack([dict(inputs or {}), dict(parameters or {})]))
    return RunRecord(run_id=run_id, workflow=workflow.fingerprint, name=workflow.name, given=given, status="running")


def given_of(stored: RunRecord, asked: RunRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs and parameters with which a run goes on.

    Raises: RuntimeExecutionError when the run was of another workflow, or was given something else.
    """
    if stored.workflow != asked.workflow:
        raise RuntimeExecutionError(
            f"run {stored.run_id!r} is of another workflow, or of another version of it", hint="use a new run_id"
        )
    if asked.given not in (stored.given, NOTHING):
        raise RuntimeExecutionError(f"run {stored.run_id!r} began with other inputs", hint="use a new run_id")
    inputs, parameters = unpack(msgspec.json.decode(stored.given))
    return inputs, parameters


NOTHING: Final = b"[{},{}]"
