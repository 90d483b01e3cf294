"""What keeps the answers of one model must offer; memory and Redis are two of a kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from dataflow.effects import Errand

Deed: TypeAlias = Callable[[], None] | Errand
Load: TypeAlias = Callable[[], Any]
LoadAsync: TypeAlias = Callable[[], Awaitable[Any]]


class Answers(Protocol):
    """The kept answers of one model. *tenant*: whose records are asked for; None: everybody's, or nobody's."""

    def read(self, operation: Any, tenant: str | None, load: Load) -> Any:
        """Return the outcome of *operation*, which policy has rewritten: as it is kept, or of *load*."""

    async def aread(self, operation: Any, tenant: str | None, load: LoadAsync) -> Any:
        """Like `read`; *load* is awaited."""

    def deed(self, tenant: str | None) -> Deed:
        """Return what makes the answers old that a write for *tenant* changes; None: all of them."""


def always() -> bool:
    """Say that kept answers are as new as anybody can know: nobody else writes to a database in memory."""
    return True
