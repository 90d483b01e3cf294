"""One database as tests speak to it: the same words, blocking or under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias

from dataflow import DataFlow
from dataflow.transactions.joined import JOINED
from kailash.context import ANONYMOUS, Context


class Face:
    """Runs express calls and capabilities of one database, one way."""

    def __init__(self, db: DataFlow, *, blocking: bool) -> None:
        self.db = db
        self._blocking = blocking
        self._runner = None if blocking else asyncio.Runner()

    def express(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a method of express."""
        if self._runner is None:
            return getattr(self.db.express_sync, method)(*arguments, **keywords)
        return self._runner.run(getattr(self.db.express, method)(*arguments, **keywords))

    def feed(self, method: str) -> Any:
        """Call a method of the feed that has a twin under asyncio."""
        if self._runner is None:
            return getattr(self.db.feed, method)()
        return self._runner.run(getattr(self.db.feed, f"a{method}")())

    def do(self, what: str, inputs: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """Do a capability: ``do("products.list", limit=2)``."""
        capability = next(each for each in self.db.capabilities() if each.name == what)
        given = {**(inputs or {}), **more}
        if self._runner is None:
            return capability.direct(given, ANONYMOUS)
        return self._runner.run(capability.adirect(given, ANONYMOUS))

    def run(self, plan: Any) -> Any:
        """Run *plan* on this face's executor."""
        if self._runner is None:
            return self.db._sync.run(plan)
        return self._runner.run(_answered(self.db._async.run(plan)))

    def within(
        self, context: Context, what: str, inputs: Mapping[str, Any], around: AbstractContextManager[Any] | None = None
    ) -> Any:
        """Do a capability in *context*, with the block *around* it."""
        capability = next(each for each in self.db.capabilities() if each.name == what)
        if self._runner is None:
            with around or nullcontext():
                return capability.direct(inputs, context)
        return self._runner.run(_within(capability.adirect(inputs, context), around or nullcontext()))

    @contextmanager
    def transaction(self, isolation_level: str | None = None) -> Iterator[Any]:
        """A transaction that what is done inside joins: a runner keeps the context of what it ran."""
        if self._runner is None:
            with self.db.transaction_sync(isolation_level) as block:
                yield block
            return
        manager = self.db.transaction(isolation_level)
        block = self._runner.run(_enter(manager))
        try:
            yield block
        except BaseException as error:
            self._runner.run(_exit(manager, error))
            raise
        self._runner.run(_exit(manager, None))

    def join(self, plan: Any) -> Any:
        """Run *plan* in the transaction that is open."""
        block = JOINED.get() if self._runner is None else self._runner.run(_joined())
        assert block is not None
        return block.run(plan) if self._runner is None else self._runner.run(block.arun(plan))

    def roll_back(self, block: Any) -> None:
        """Undo what was done in *block*."""
        undone = block.rollback()
        if self._runner is not None:
            self._runner.run(undone)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.run(self.db.close_async())
            self._runner.close()
        self.db.close()


Facing: TypeAlias = Callable[[DataFlow], Face]  # the fixture ``faced``
Open: TypeAlias = Callable[..., DataFlow]  # the fixture ``opened``: models, options


async def _answered(asked: Awaitable[Any]) -> Any:
    return await asked


async def _within(asked: Awaitable[Any], around: AbstractContextManager[Any]) -> Any:
    with around:
        return await asked


async def _enter(manager: Any) -> Any:
    return await manager.__aenter__()


async def _exit(manager: Any, error: BaseException | None) -> None:
    await manager.__aexit__(type(error) if error else None, error, None)


async def _joined() -> Any:
    return JOINED.get()
