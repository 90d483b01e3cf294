"""The modules that not every run needs: imported when one does, not with a runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import Late

__all__ = ["coroutines", "loops", "sqlite_store"]

if TYPE_CHECKING:
    from kailash.runtime import coroutines, loops, sqlite_store
else:
    coroutines = Late("kailash.runtime.coroutines")  # asyncio: 35 ms
    loops = Late("kailash.runtime.loops")  # asyncio, for nodes that have coroutines only
    sqlite_store = Late("kailash.runtime.sqlite_store")  # sqlite3, for durable runs
