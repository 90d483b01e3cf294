"""Runtimes: where workflows run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import exports

if TYPE_CHECKING:
    from kailash.runtime.aio import AsyncLocalRuntime
    from kailash.runtime.as_capability import capability_of, get_runtime
    from kailash.runtime.local import LocalRuntime
    from kailash.runtime.sqlite_store import SQLiteRunStore
    from kailash.workflow.retry import RetryPolicy

__all__ = ["AsyncLocalRuntime", "LocalRuntime", "RetryPolicy", "SQLiteRunStore", "capability_of", "get_runtime"]

__getattr__, __dir__ = exports(
    __name__,
    {
        "AsyncLocalRuntime": "kailash.runtime.aio",
        "LocalRuntime": "kailash.runtime.local",
        "RetryPolicy": "kailash.workflow.retry",
        "SQLiteRunStore": "kailash.runtime.sqlite_store",
        "capability_of": "kailash.runtime.as_capability",
        "get_runtime": "kailash.runtime.as_capability",
    },
)
