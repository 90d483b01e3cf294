"""Where older programs import `AsyncLocalRuntime` from."""

from __future__ import annotations

from kailash.runtime.aio import AsyncLocalRuntime

__all__ = ["AsyncLocalRuntime"]
