"""Workflows that changes of data start: ``status_change`` of Order starts the workflow "order_status_change".

Rule 1: a workflow is started as a channel starts it, by a call; it acts for the tenant of the change.
Rule 2: a change that comes again, after a crash, is the same run where runs are durable: its key is its number.
Rule 3: what cannot be done now is done later; what is refused, or fails, is logged, and the next change has its turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from kailash.capability import Capability
from kailash.context import Acting, Context
from kailash.errors import KailashError, Kind, NoSuchCapabilityError
from kailash.events import Event
from nexus.call import Answer, Call, Ticket

LATER: Final = frozenset({Kind.UNAVAILABLE, Kind.TIMEOUT, Kind.LIMITED})
NAME: Final = "nexus-workflows"  # under which the changes are heard: of all processes of one database, one serves it

logger = logging.getLogger("nexus")


class Announcing(Protocol):
    """A provider whose changes may start workflows."""

    def prepare(self) -> None:
        """Make ready what hearing needs."""

    def on_workflow_event(self, hear: Callable[[str, Event], object], name: str) -> Callable[[], None]:
        """Call *hear*, on a thread, with each event and the change, once it is prepared; return what ends this."""


class Starting:
    """Starts the workflows of one application while it serves."""

    def __init__(self, find: Callable[[str], Capability], answer: Answer) -> None:
        """Hear nothing yet; begun on the event loop that serves."""
        self._find, self._answer = find, answer
        self._ends: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    def begin(self, providers: Iterable[Announcing]) -> None:
        """Hear the events of *providers*; what is not ready is heard from when it is."""
        for provider in providers:
            self._ends.append(provider.on_workflow_event(self._start, NAME))
            self._tasks.append(self._loop.create_task(_prepared(provider)))

    async def end(self) -> None:
        """Hear no more; what has begun comes to its end."""
        ends, self._ends = self._ends, []
        for end in ends:
            await asyncio.to_thread(end)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, name: str, change: Event) -> None:
        try:
            capability = self._find(name)
        except NoSuchCapabilityError:
            logger.debug("no workflow is named %s", name)
            return
        asyncio.run_coroutine_threadsafe(self._run(name, capability, change), self._loop).result()

    async def _run(self, name: str, capability: Capability, change: Event) -> None:
        known = capability.inputs.schema().get("properties", {})
        inputs = {each: value for each, value in told(name, change).items() if each in known}
        ticket = Ticket(idempotency_key=f"{name}-{change.sequence}")
        with Acting(Context(tenant=change.tenant, channel="python")):
            outcome = await self._answer(Call("python", name, inputs, request_id=ticket.idempotency_key, ticket=ticket))
        if outcome.error is None:
            return
        if outcome.error.kind in LATER:
            raise outcome.error
        logger.error("workflow %s, started by change %d: %s", name, change.sequence, outcome.error.message)


async def _prepared(provider: Announcing) -> None:
    with suppress(KailashError):  # who looks after readiness says so, and tries again
        await asyncio.to_thread(provider.prepare)


def told(name: str, change: Event) -> Mapping[str, Any]:
    """Return what a workflow may ask of the change that starts it: ``$input.record.status``, ``{{record_id}}``."""
    return {
        "event": name,
        "model": change.model,
        "record_id": change.id,
        "record": change.after if change.after is not None else change.before,
        "before": change.before,
        "sequence": change.sequence,
    }
