"""Plans: work described now and done later.

A plan is a generator. It yields *effects* (frozen values that say what it wants from the world) and is
sent back the reply to each. It never touches the world itself, so the same plan runs under a blocking
driver, under an asyncio driver, or in a test that answers from a list.

Rule 1: only `drive`, `proceed` and `adrive` advance a plan (and an executor that answers a plan's first questions
        where it stands, and hands the rest to `proceed` on another thread).
Rule 2: a plan asks with ``yield from helper(...)``, never with a bare ``yield``; the helper is where the
        reply gets its type.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar

E = TypeVar("E")
T = TypeVar("T")

Plan: TypeAlias = Generator[E, Any, T]


def drive(plan: Plan[E, T], perform: Callable[[E], Any]) -> T:
    """Run *plan* to its end, answering each effect with *perform*; return its value.

    A fault of *perform* is thrown into the plan, which may catch what its own question caused.
    """
    try:
        effect = next(plan)
    except StopIteration as end:
        value: T = end.value
        return value
    return proceed(plan, effect, perform)


def proceed(plan: Plan[E, T], effect: E, perform: Callable[[E], Any]) -> T:
    """Run *plan* from *effect*, which it has just asked for, to its end; like `drive` in all else."""
    try:
        while True:
            try:
                reply = perform(effect)
            except Exception as fault:
                effect = plan.throw(fault)
            else:
                effect = plan.send(reply)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        plan.close()


async def adrive(plan: Plan[E, T], perform: Callable[[E], Awaitable[Any]]) -> T:
    """Like `drive`, awaiting each reply."""
    try:
        effect = next(plan)
        while True:
            try:
                reply = await perform(effect)
            except Exception as fault:
                effect = plan.throw(fault)
            else:
                effect = plan.send(reply)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        plan.close()
