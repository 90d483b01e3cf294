"""Where older programs import `AsyncNode` from."""

from __future__ import annotations

from kailash.nodes.base import AsyncNode

__all__ = ["AsyncNode"]
