"""The paths of workflows and jobs: ``/workflows``, ``/jobs``, and what is below them.

A run is answered when it is over; or, with ``Prefer: respond-async``, by 202 and the address of its job; or, with
``Accept: text/event-stream``, by an event for every step and one for the end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from kailash.capability import Capability, Catalogue
from kailash.errors import InvalidInputError, Problem
from kailash.shapes import encode_json
from nexus.call import Answer, Call, Ticket
from nexus.channels.rest import params, reply
from nexus.channels.rest.refusals import InvalidHeaderError
from nexus.channels.rest.reply import Reply, Stream
from nexus.channels.rest.request import Request
from nexus.channels.rest.table import Methods
from nexus.jobs import Job, Jobs

EVENTS: Final = b"text/event-stream"
WAIT: Final = re.compile(rb"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])")  # RFC 7240, 4.3: seconds
ASYNC: Final = b"respond-async"
KEY: Final = re.compile(r"[!-~]{1,255}")  # printable, without a space
HEARTBEAT: Final = 15.0  # seconds without news after which a stream says that it lives; proxies cut at 30 and more


class Paths:
    """What is at the paths of workflows and jobs. jobs: None where the application follows no runs."""

    def __init__(self, catalogue: Catalogue, answer: Answer, jobs: Jobs | None) -> None:
        self._catalogue = catalogue
        self._answer = answer
        self._jobs = jobs
        self._seen: tuple[int, ...] | None = None
        self._executions: dict[str, Methods] = {}  # path -> what is there; those that are asked most

    def find(self, path: str) -> Methods | None:
        """Return what is at *path*, if anything."""
        revision = self._catalogue.revision
        if revision != self._seen:
            offered = [each for each in self._catalogue.values() if not each.resource]
            self._executions = {
                f"/workflows/{each.name}/execute": {"POST": _Execution(each, self._answer, self._jobs)}
                for each in offered
            }
            self._seen = revision
        return self._executions.get(path) or self._other(path)

    def _other(self, path: str) -> Methods | None:
        match path.split("/"):
            case ["", "workflows"]:
                return {"GET": self._list}
            case ["", "workflows", name, "workflow", "info"] if (found := self._workflow(name)) is not None:
                return {"GET": _Information(found)}
            case ["", "jobs"] if self._jobs is not None:
                return {"GET": self._list_jobs}
            case ["", "jobs", id] if self._jobs is not None and id:
                return {"GET": _JobRead(id, self._answer), "DELETE": _JobCancel(id, self._answer)}
            case ["", "jobs", id, "events"] if self._jobs is not None:
                return {"GET": _JobEvents(id, self._answer, self._jobs)}
            case _:
                return None

    def _workflow(self, name: str) -> Capability | None:
        found = self._catalogue.get(name)
        return found if found is not None and not found.resource else None

    async def _list(self, request: Request) -> Reply:
        offered = [each for each in self._catalogue.values() if not each.resource]
        return reply.of_value(
            {
                "workflows": [
                    {
                        "name": each.name,
                        "summary": each.summary,
                        "info": f"/workflows/{each.name}/workflow/info",
                        "execute": f"/workflows/{each.name}/execute",
                    }
                    for each in offered
                ]
            }
        )

    async def _list_jobs(self, request: Request) -> Reply:
        params.only(request.scope["query_string"], {})
        return reply.of_value(await _asked(request, self._answer, ":jobs.list", {}))


class _Information:
    """GET /workflows/{name}/workflow/info."""

    def __init__(self, capability: Capability) -> None:
        self._capability = capability

    async def __call__(self, request: Request) -> Reply:
        params.only(request.scope["query_string"], {})
        found = self._capability
        return reply.of_value(
            {
                "name": found.name,
                "summary": found.summary,
                "nature": found.nature.value,
                "inputs": found.inputs.schema(),
                "outputs": found.output(),
                "mermaid": (found.picture() if found.picture is not None else "") or None,
            }
        )


class _Execution:
    """POST /workflows/{name}/execute: ``{"inputs": {...}}``."""

    def __init__(self, capability: Capability, answer: Answer, jobs: Jobs | None) -> None:
        self._capability = capability
        self._answer = answer
        self._jobs = jobs

    async def __call__(self, request: Request) -> Reply | Stream:
        params.only(request.scope["query_string"], {})
        inputs = _inputs(await request.document())
        key = _key(request)
        ticket = Ticket(idempotency_key=key) if key else None
        call = Call("rest", self._capability.name, inputs, request.credentials, request.request_id, ticket)
        if self._jobs is not None:
            if EVENTS in request.headers.get(b"accept", b""):
                return _stream(await self._jobs.begin(call), 0)
            if request.prefers(ASYNC):
                return await self._later(request, await self._jobs.begin(call))
        outcome = await self._answer(call)
        if outcome.error is not None:
            raise outcome.error
        return reply.of_value(outcome.value)

    async def _later(self, request: Request, job: Job) -> Reply:
        """Return 202 and where the job is; or its result, if it comes within the time that the client waits."""
        wait = WAIT.search(request.headers.get(b"prefer", b"").lower())
        if wait is not None and await _ended(job, float(wait[1])):
            if job.outcome.error is not None:
                raise job.outcome.error
            return reply.of_value(job.outcome.value)
        answer = reply.of_value(job.described(whole=False), 202)
        answer.headers += [(b"location", f"/jobs/{quote(job.id)}".encode()), (b"preference-applied", ASYNC)]
        return answer


class _JobRead:
    """GET /jobs/{id}."""

    def __init__(self, id: str, answer: Answer) -> None:
        self._id = id
        self._answer = answer

    async def __call__(self, request: Request) -> Reply:
        params.only(request.scope["query_string"], {})
        return reply.of_value(await _asked(request, self._answer, ":jobs.read", {"id": self._id}))


class _JobCancel:
    """DELETE /jobs/{id}: the wish that it ends; 202, for it takes a moment."""

    def __init__(self, id: str, answer: Answer) -> None:
        self._id = id
        self._answer = answer

    async def __call__(self, request: Request) -> Reply:
        params.only(request.scope["query_string"], {})
        return reply.of_value(await _asked(request, self._answer, ":jobs.cancel", {"id": self._id}), 202)


class _JobEvents:
    """GET /jobs/{id}/events: what happened and what happens; ``Last-Event-ID`` goes on after that one."""

    def __init__(self, id: str, answer: Answer, jobs: Jobs) -> None:
        self._id = id
        self._answer = answer
        self._jobs = jobs

    async def __call__(self, request: Request) -> Stream:
        params.only(request.scope["query_string"], {})
        await _asked(request, self._answer, ":jobs.read", {"id": self._id})
        last = request.headers.get(b"last-event-id", b"")
        return _stream(self._jobs.known(self._id), int(last) if last.isdigit() and len(last) < 10 else 0)


async def _asked(request: Request, answer: Answer, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    outcome = await answer(Call("rest", name, inputs, request.credentials, request.request_id))
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def _inputs(document: dict[str, Any]) -> dict[str, Any]:
    inputs = document.pop("inputs", {})
    if document:
        problems = [Problem(key, "unknown_field", f"no key is named {key!r}") for key in document]
        hint = 'the inputs go inside: {"inputs": {...}}'
        raise InvalidInputError("the body has more than 'inputs'", hint=hint, problems=problems)
    if not isinstance(inputs, dict):
        problem = Problem("inputs", "wrong_type", "'inputs' must be an object")
        raise InvalidInputError(problem.message, hint='send {"inputs": {...}}', problems=[problem])
    return inputs


def _key(request: Request) -> str:
    """Return the idempotency key, unquoted (the draft has it as a quoted string, most clients send it bare)."""
    given = request.headers.get(b"idempotency-key")
    if given is None:
        return ""
    key = given.decode("latin-1").strip().removeprefix('"').removesuffix('"')
    if not KEY.fullmatch(key):
        raise InvalidHeaderError("the idempotency key cannot be used", hint="1 to 255 printable characters, no spaces")
    return key


async def _ended(job: Job, seconds: float) -> bool:
    try:
        await asyncio.wait_for(job.finished(), seconds)
    except TimeoutError:
        return False
    return True


def _stream(job: Job, after: int) -> Stream:
    headers = [
        (b"content-type", EVENTS),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"location", f"/jobs/{quote(job.id)}".encode()),
    ]
    return Stream(200, headers, _events(job, after))


async def _events(job: Job, after: int) -> AsyncIterator[bytes]:
    """Yield the events of *job* as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    if not after:
        yield _event("job", job.described(whole=False))
    number = after
    while True:
        while number < len(job.events):
            what, event = job.events[number]
            number += 1
            yield _event(what, event, number)
        if job.ended is not None:
            return
        try:
            await asyncio.wait_for(job.news(), HEARTBEAT)
        except TimeoutError:
            yield b": alive\n\n"


def _event(what: str, event: Mapping[str, Any], number: int | None = None) -> bytes:
    id = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (id, what.encode(), encode_json(event))
