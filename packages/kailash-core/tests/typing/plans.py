"""Types of plans and shapes, as a program sees them. Checked by mypy, not run."""

from __future__ import annotations

from typing import assert_type

import msgspec

from kailash.capability import Capability, Catalogue
from kailash.context import Context
from kailash.plan import Plan, adrive, drive


class Ask(msgspec.Struct, frozen=True):
    """An effect."""

    question: str


def ask(question: str) -> Plan[Ask, int]:
    """The typed way to ask."""
    reply: int = yield Ask(question)
    return reply


def twice() -> Plan[Ask, str]:
    """A plan that asks."""
    number = yield from ask("how many?")
    assert_type(number, int)
    return "x" * number


assert_type(drive(twice(), lambda effect: len(effect.question)), str)
drive(twice(), lambda effect: effect.answer)  # type: ignore[attr-defined]  # an effect has its own fields


async def under_asyncio() -> None:
    """The other face gives the same type."""

    async def perform(effect: Ask) -> int:
        return len(effect.question)

    assert_type(await adrive(twice(), perform), str)


assert_type(Catalogue().find("products.list"), Capability)
Context("ann")  # type: ignore[call-arg]  # a context is given by name
