"""Runs of workflows that somebody follows: begun now, answered later, watched step by step, cancelled.

Rule 1: a job begins by a call through the pipeline, and is asked for through it: `Jobs` is a provider too. A job is
there for the one who began it, and for nobody else.
Rule 2: jobs live in this process. What must survive it is in the journal of the run (`nexus.workflows`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec

from kailash.capability import Capability, Nature
from kailash.context import Cancellation, Context
from kailash.errors import InvalidInputError, KailashError, Problem
from nexus import wire
from nexus.call import Answer, Call, Outcome, Ticket
from nexus.errors import NoSuchJobError, RateLimitedError

Status: TypeAlias = Literal["running", "done", "failed", "cancelled"]
MOST: Final = 1_000  # jobs that are remembered; arbitrary
Written: TypeAlias = Callable[[], Iterable["Remembered"]]
NAMES: Final = (":jobs.list", ":jobs.read", ":jobs.cancel")


class Job:
    """One run that is followed. events: every step that was heard of, and the end."""

    def __init__(self, call: Call) -> None:
        self.id = os.urandom(12).hex()
        self.workflow = call.capability
        self.channel = call.channel
        self.owner: tuple[str | None, str | None] = (None, None)  # principal and tenant
        self.run_id = ""
        self.cancellation = Cancellation()
        self.began = datetime.now(UTC)
        self.ended: datetime | None = None
        self.status: Status = "running"
        self.outcome = Outcome()
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []

    def hear(self, step: Any) -> None:
        """Take note of a step, in any thread."""
        self.run_id = step.run_id
        self.events.append(("step", told(step)))
        self._loop.call_soon_threadsafe(self._wake)

    def end(self, outcome: Outcome) -> None:
        """Take note of what came of it."""
        self.outcome = outcome
        self.ended = datetime.now(UTC)
        error = outcome.error
        if error is None:
            self.status = "done"
            self.events.append(("done", outcome.value))
        else:
            self.status = "cancelled" if error.code == "cancelled" else "failed"
            self.events.append((self.status, wire.problem(error)))
        self._wake()

    async def news(self) -> None:
        """Return when something happened."""
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        await waiting

    async def finished(self) -> None:
        """Return when it has ended."""
        while self.ended is None:
            await self.news()

    def described(self, *, whole: bool) -> dict[str, Any]:
        """Return the job as a caller sees it. whole: with its result."""
        shown: dict[str, Any] = {
            "id": self.id,
            "workflow": self.workflow,
            "status": self.status,
            "began": self.began,
            "ended": self.ended,
            "steps": sum(event.get("what") in ("finished", "recalled") for _, event in self.events),
        }
        if whole and self.ended is not None:
            error = self.outcome.error
            shown |= {"result": self.outcome.value} if error is None else {"problem": wire.problem(error)}
        return shown

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)


def told(step: Any) -> dict[str, Any]:
    """Return a runtime's `StepEvent` as a client sees it; of a foreign exception no more than its class."""
    shown = {
        "run_id": step.run_id,
        "step": step.path,
        "node": step.node,
        "what": step.what,
        "attempt": step.attempt,
        "seconds": round(step.seconds, 6),
    }
    if step.error is not None:
        ours = isinstance(step.error, KailashError)
        shown["error"] = step.error.message if ours else type(step.error).__name__
    return shown


class Remembered(msgspec.Struct, frozen=True):
    """A run that is written down: of a process that has ended, or of a request that nobody followed."""

    run_id: str
    workflow: str
    status: str
    owner: tuple[str | None, str | None]  # principal and tenant

    def described(self) -> dict[str, Any]:
        """Return it as a job; nobody noted when it began."""
        return {"id": self.run_id, "workflow": self.workflow, "status": self.status, "began": None, "ended": None}


class Jobs:
    """The jobs of one application; a provider of what can be asked about them.

    written: gives the runs that are written down, the latest first.
    """

    revision = 0

    def __init__(self, answer: Answer, written: Written = list) -> None:
        self._answer = answer
        self._written = written
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, call: Call) -> Job:
        """Begin what *call* asks for and return its job once every gate is passed.

        Raises: the KailashError that refused the call; RateLimitedError when too many jobs run.
        """
        self._make_room()
        job = Job(call)
        gate = asyncio.get_running_loop().create_future()

        def admit(context: Context) -> None:
            job.owner = (context.principal, context.tenant)
            self._jobs[job.id] = job
            gate.set_result(None)

        key = call.ticket.idempotency_key if call.ticket is not None else ""
        ticket = Ticket(idempotency_key=key, cancellation=job.cancellation, progress=job.hear, admitted=admit)
        task = asyncio.create_task(self._run(job, msgspec.structs.replace(call, ticket=ticket)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait([gate, task], return_when=asyncio.FIRST_COMPLETED)
        if not gate.done() and job.outcome.error is not None:
            raise job.outcome.error
        return job

    def find(self, id: Any, context: Context) -> Job:
        """Return the caller's job of that id. Raises: NoSuchJobError."""
        job = self._jobs.get(str(id))
        if job is None or job.owner != (context.principal, context.tenant):
            raise NoSuchJobError(f"no job is {str(id)[:40]!r}", hint="jobs that ended are forgotten after a while")
        return job

    def known(self, id: str) -> Job:
        """Return the job of that id, which its owner was shown to be allowed to see. Raises: NoSuchJobError."""
        if (job := self._jobs.get(id)) is None:
            raise NoSuchJobError(f"no job is {id[:40]!r}", hint="jobs that ended are forgotten after a while")
        return job

    async def aclose(self) -> None:
        """Cancel what runs, and return when it has ended."""
        for job in self._jobs.values():
            if job.ended is None:
                job.cancellation.request()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)

    # -- as a provider

    def capabilities(self) -> Iterable[Capability]:
        return [
            _capability(NAMES[0], "List your jobs, the latest first.", Nature.READ, self._list, with_id=False),
            _capability(NAMES[1], "Read a job: its status, and its result once it has ended.", Nature.READ, self._read),
            _capability(NAMES[2], "Cancel a job; one that has ended stays as it is.", Nature.WRITE, self._cancel),
        ]

    def prepare(self) -> None:
        """Nothing has to be made ready."""

    def close(self) -> None:
        """Nothing is held without an event loop."""

    def _list(self, given: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        owner = (context.principal, context.tenant)
        own = [job for job in self._jobs.values() if job.owner == owner]
        followed = {job.run_id for job in own}
        rest = [each.described() for each in self._written() if each.owner == owner and each.run_id not in followed]
        return {"jobs": [*(job.described(whole=False) for job in reversed(own)), *rest]}

    def _read(self, given: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        return self.find(given["id"], context).described(whole=True)

    def _cancel(self, given: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        job = self.find(given["id"], context)
        if job.ended is None:
            job.cancellation.request()
        return job.described(whole=False)

    async def _run(self, job: Job, call: Call) -> None:
        job.end(await self._answer(call))

    def _make_room(self) -> None:
        if len(self._jobs) < MOST:
            return
        for job in list(self._jobs.values()):
            if job.ended is not None:
                del self._jobs[job.id]
                return
        raise RateLimitedError(f"{MOST} jobs are running", hint="wait until one has ended")


GRACE: Final = 3.0  # seconds that cancelled jobs get when the application closes; arbitrary, within the server's grace


class _Intake:
    """What the capabilities of jobs accept: an id, or nothing."""

    def __init__(self, *, with_id: bool) -> None:
        self._names = ("id",) if with_id else ()

    def schema(self) -> dict[str, Any]:
        properties = {name: {"type": "string"} for name in self._names}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def accept(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        problems = [
            Problem(name, "unknown_field", f"no input is {name!r}") for name in given if name not in self._names
        ]
        problems += [
            Problem(name, "missing", f"input {name!r} is missing") for name in self._names if name not in given
        ]
        if problems:
            raise InvalidInputError("; ".join(each.message for each in problems), problems=problems)
        return given


def _capability(
    name: str,
    summary: str,
    nature: Nature,
    call: Callable[[Any, Context], Mapping[str, Any]],
    *,
    with_id: bool = True,
) -> Capability:
    async def acall(given: Any, context: Context) -> Mapping[str, Any]:
        return call(given, context)

    return Capability(
        name=name,
        summary=summary,
        nature=nature,
        inputs=_Intake(with_id=with_id),
        output=lambda: {"type": "object"},
        call=call,
        acall=acall,
    )
