"""One database as tests speak to it: the same words, blocking or under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from dataflow import DataFlow
from kailash.context import ANONYMOUS


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

    def do(self, what: str, inputs: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """Do a capability: ``do("products.list", limit=2)``."""
        capability = next(each for each in self.db.capabilities() if each.name == what)
        given = {**(inputs or {}), **more}
        if self._runner is None:
            return capability.direct(given, ANONYMOUS)
        return self._runner.run(capability.adirect(given, ANONYMOUS))

    def close(self) -> None:
        if self._runner is not None:
            self._runner.run(self.db.close_async())
            self._runner.close()
        self.db.close()
