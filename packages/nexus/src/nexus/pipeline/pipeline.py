"""Call in, outcome out: the gates, the capability, the witnesses, in that order."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kailash.capability import Capability
from kailash.context import ANONYMOUS, Acting, settled
from kailash.errors import KailashError
from nexus import wire
from nexus.call import Admitted, Call, Draft, Outcome
from nexus.pipeline.gates import Gates, Witness, Witnesses

logger = logging.getLogger("nexus")

Find = Callable[[Call], Capability]
Note = Callable[[Call, Outcome, float], None]


async def _always() -> None:
    """Nothing has to be waited for."""


class Pipeline:
    """Answers calls.

    find: the capability that a call names; raises NoSuchCapabilityError. ready: returns when the schema is
    ready, at once from then on; raises NotReadyError when that takes too long. note: hears of
    each call when it is over, and of its seconds.
    """

    def __init__(
        self,
        find: Find,
        gates: Gates,
        witnesses: Witnesses | None = None,
        *,
        ready: Callable[[], Awaitable[None]] = _always,
        note: Note | None = None,
    ) -> None:
        self._find = find
        self._gates = gates.taken()
        self._witnesses: tuple[Witness, ...] = witnesses.taken() if witnesses else ()
        self._ready = ready
        self._note = note

    async def answer(self, call: Call) -> Outcome:
        """Return what came of *call*. Raises nothing: a refusal and a fault are outcomes too."""
        if self._note is None:
            return await self._answered(call)
        began = time.perf_counter()
        outcome = await self._answered(call)
        self._note(call, outcome, time.perf_counter() - began)
        return outcome

    async def _answered(self, call: Call) -> Outcome:
        try:
            draft = Draft(call, self._find(call), ANONYMOUS, call.inputs)
            for gate in self._gates:
                draft = await gate(draft)
            outcome = Outcome(await self._execute(Admitted(draft)))
        except KailashError as error:
            outcome = Outcome(error=error)
        except Exception as fault:  # the outermost answer of every channel: what was done may raise anything
            logger.exception("call %s to %s failed", call.request_id, call.capability)
            outcome = Outcome(error=wire.translated(fault))
        for witness in self._witnesses:
            await _tell(witness, call, outcome)
        return outcome

    async def _execute(self, admitted: Admitted) -> Mapping[str, Any]:
        draft = admitted.draft
        context, ticket = draft.context, draft.call.ticket
        if ticket is not None:
            if ticket.admitted is not None:
                ticket.admitted(context)
            context = ticket.stamped(context)
        await self._ready()
        context = settled(context)
        with Acting(context):
            return await draft.capability.acall(draft.inputs, context)


async def _tell(witness: Witness, call: Call, outcome: Outcome) -> None:
    try:
        await witness(call, outcome)
    except Exception:  # of the user's; the call is answered all the same
        logger.exception("a witness of call %s failed", call.request_id)
