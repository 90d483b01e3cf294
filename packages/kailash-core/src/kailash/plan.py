"""Plans: work described now and done later.

A plan is a generator. It yields *effects* (frozen values that say what it wants from the world) and is
sent back the reply to each. It never touches the world itself, so the same plan runs under a blocking
driver, under an asyncio driver, or in a test that answers from a list.

Rule 1: only `drive`, `proceed`, `adrive` and `through` advance a plan (and an executor that answers a plan's first
        questions where it stands, and hands the rest to `proceed` on another thread).
Rule 2: a plan asks with ``yield from helper(...)``, never with a bare ``yield``; the helper is where the
        reply gets its type.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeAlias, TypeVar

E = TypeVar("E")
F = TypeVar("F")
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
            except Exception as fault:  # whatever it was, the plan is told: here and in the two below
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


def through(plan: Plan[E, T], ask: Callable[[E], Plan[F, Any]]) -> Plan[F, T]:
    """Run *plan* inside a plan: each of its effects is asked for by ``ask(effect)``, which may ask for others instead.

    A fault of what *ask* asks for is thrown into the inner plan, as `drive` does.
    """
    try:
        effect = next(plan)
        while True:
            try:
                reply = yield from ask(effect)
            except Exception as fault:
                effect = plan.throw(fault)
            else:
                effect = plan.send(reply)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        plan.close()


class Course(Generic[E]):
    """A plan under way, for a driver that answers some effects here and some there (a loop, a thread).

    ``asked`` is what the plan asks for now, until it is ``finished``.
    """

    __slots__ = ("_plan", "asked", "finished")

    asked: E

    def __init__(self, plan: Plan[E, Any]) -> None:
        self._plan = plan
        self.finished = False
        self.answer(None)

    def answer(self, reply: Any) -> None:
        """Answer what was asked; the first answer, to nothing yet, has been given."""
        try:
            self.asked = self._plan.send(reply)
        except StopIteration:
            self.finished = True

    def close(self) -> None:
        """Abandon the plan."""
        self._plan.close()
