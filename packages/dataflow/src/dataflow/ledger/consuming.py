"""Those who hear changes under a name, and go on where they stood: after a restart, in whichever process.

Rule 1: one process at a time serves a name; when it ends, another one that offers itself goes on.
Rule 2: a change counts as heard when the function has returned. One that raises is called again with the same change,
        later and later; a process that was cut off may have it called again with what it heard last.
Rule 3: where one stood is written down after each batch, and at the end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from dataflow.errors import FeedPositionError
from kailash.errors import KailashError
from kailash.events import Event

BATCH: Final = 100  # changes after which it is written down where one stands; arbitrary
POLL: Final = 0.25  # seconds; as of the feed
AGAIN: Final = 0.5  # seconds before a change that was not heard is told again; doubled each time
LONGEST: Final = 60.0  # seconds, of that

log = logging.getLogger("dataflow.feed")


class Held(Protocol):
    """The right to serve a name."""

    def close(self) -> None:
        """Give it up."""


class Place(Protocol):
    """Where a name stands, in the database."""

    def take(self) -> Held | None:
        """Take the right to serve the name; None while somebody else has it."""

    def position(self) -> int:
        """Return the number of the last change that it heard; that of the latest there is, where it is new."""

    def advance(self, sequence: int) -> None:
        """Write down that it heard the changes up to *sequence*."""


class Consumer:
    """One name, served by a thread of its own. hear: called with each change that *wants* says it wants."""

    def __init__(
        self,
        name: str,
        place: Place,
        read: Callable[[int, int], Sequence[Event]],
        wants: Callable[[Event], bool],
        hear: Callable[[Event], object],
    ) -> None:
        self.name = name
        self._place, self._read, self._wants, self._hear = place, read, wants, hear
        self._at = self._written = -1
        self._ended = False
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"dataflow-consumer-{name}", daemon=True)

    def begin(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def wake(self) -> None:
        """Something was committed."""
        self._news.set()

    def end(self) -> None:
        """Hand out what is committed, where this process serves the name, and stop. Idempotent."""
        self._ended = True
        self._news.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        held: Held | None = None
        pause = AGAIN
        try:
            while True:
                ended = self._ended
                self._news.clear()
                try:
                    held = held or self._place.take()
                    heard = held is None or self._serve()
                except FeedPositionError as fault:
                    log.error("consumer %s came too late: %s; %s", self.name, fault.message, fault.hint)
                    return
                except KailashError as fault:  # the database is away, or its lock was lost with the connection
                    log.warning("consumer %s cannot read the feed (%s); trying again", self.name, fault.code)
                    self._release(held)
                    held, heard = None, False
                if ended:
                    return
                pause = AGAIN if heard else min(pause * 2, LONGEST)
                self._news.wait(POLL if heard else pause)
        finally:
            self._release(held)

    def _serve(self) -> bool:
        """Tell of all that is committed; whether all of it was heard."""
        if self._at < 0:
            self._at = self._written = self._place.position()
        try:
            while events := self._read(self._at, BATCH):
                for event in events:
                    if self._wants(event) and not self._heard(event):
                        return False
                    self._at = event.sequence
                self._write_down()
        finally:
            self._write_down()
        return True

    def _heard(self, event: Event) -> bool:
        try:
            self._hear(event)
        except Exception:  # whatever it was: the change is told again
            log.exception("consumer %s could not deal with change %d; it is told again", self.name, event.sequence)
            return False
        return True

    def _write_down(self) -> None:
        if self._at > self._written:
            self._place.advance(self._at)
            self._written = self._at

    def _release(self, held: Held | None) -> None:
        self._at = -1  # another process may serve the name before we do again
        if held is not None:
            held.close()
