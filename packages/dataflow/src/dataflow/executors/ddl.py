"""What the schema's work needs of a database: to ask, and one transaction. Drivers implement it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Self


class DDLConnection:
    """A blocking connection outside any transaction, held until it is closed."""

    dialect: Literal["sqlite", "postgresql"]

    @abstractmethod
    def ask(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with ``?`` for its arguments; return its rows."""

    @abstractmethod
    def begin(self, timeout: float) -> None:
        """Begin a transaction that waits *timeout* seconds for any lock. Raises: RetryableError."""

    @abstractmethod
    def commit(self) -> None:
        """Commit it."""

    @abstractmethod
    def close(self) -> None:
        """Leave any transaction and give the connection back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
