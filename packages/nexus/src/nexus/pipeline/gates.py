"""Gates and witnesses: what stands before and after the execution of a call.

Rule 1: a gate admits a draft, adds to it, or refuses it by raising; it cannot wrap what follows.
Rule 2: a witness hears of every call, refused ones too, and changes nothing.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from nexus.call import Call, Draft, Outcome


class Gate(Protocol):
    """One question that a call must pass."""

    async def __call__(self, draft: Draft) -> Draft:
        """Return *draft*, perhaps with more known about it. Raises: a KailashError to refuse it."""


class Witness(Protocol):
    """Hears what came of each call."""

    async def __call__(self, call: Call, outcome: Outcome) -> None:
        """Note it; whatever this raises is logged and goes no further."""


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """The seats of the pipeline, in the order in which they are passed. An empty seat admits everything."""

    authenticate: Gate
    tenant: Gate | None = None
    authorize: Gate | None = None
    limit: Gate | None = None
    validate: Gate
    confirm: Gate | None = None
    journal: Gate | None = None

    def taken(self) -> tuple[Gate, ...]:
        """Return the gates of the taken seats, in order."""
        seats = (getattr(self, name) for name in self.__struct_fields__)
        return tuple(gate for gate in seats if gate is not None)


class Witnesses(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears of a call when it is over, in order."""

    audit: Witness | None = None
    publish: Witness | None = None

    def taken(self) -> tuple[Witness, ...]:
        """Return the witnesses of the taken seats, in order."""
        return tuple(witness for witness in (self.audit, self.publish) if witness is not None)
