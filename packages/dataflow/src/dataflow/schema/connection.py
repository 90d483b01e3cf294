"""What the schema's work needs of a database. `dataflow.executors` offers it; neither imports the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeAlias


class Connection(Protocol):
    """A blocking connection outside any transaction, held until it is closed. Raises errors of ours only."""

    dialect: Literal["sqlite", "postgresql"]

    def ask(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with ``?`` for its arguments; return its rows."""
        ...

    def begin(self, timeout: float) -> None:
        """Begin a transaction that waits *timeout* seconds for any lock. Raises: RetryableError."""
        ...

    def commit(self) -> None:
        """Commit it."""
        ...


Connect: TypeAlias = Callable[[], AbstractContextManager[Connection]]
