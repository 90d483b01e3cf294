"""The block of a task, imported with the first one: asyncio, which a blocking program does not pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import Late

__all__ = ["ablock"]

if TYPE_CHECKING:
    from dataflow.transactions import ablock
else:
    ablock = Late("dataflow.transactions.ablock")
