"""What a failure brings about, however something fails, cancellation included; the failure goes on.

It goes on from the block that failed, or where another thread waits for what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Undoing:
    """``with Undoing(pool.forget): make()``: a block whose failure, cancellation included, is followed by *undo*."""

    __slots__ = ("_undo",)

    def __init__(self, undo: Callable[[], object]) -> None:
        self._undo = undo

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo()


class Noting:
    """``with Noting(self.broke): ask()``: a block whose failure is told to *note*."""

    __slots__ = ("_note",)

    def __init__(self, note: Callable[[BaseException], object]) -> None:
        self._note = note

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._note(error)


def outcome_of(function: Callable[..., Any], *arguments: Any) -> tuple[Any, BaseException | None]:
    """Return (value, None) or (None, what was raised), to hand over to the thread that waits for it."""
    try:
        return function(*arguments), None
    except BaseException as fault:  # noqa: BLE001 - whatever it was, it belongs to who asked
        return None, fault
