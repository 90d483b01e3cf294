"""Threads that a runtime borrows work to: made when needed, daemons, gone after a while without work.

A thread whose work hangs is left behind and never waited for, also not when the interpreter ends.
"""

from __future__ import annotations

import contextvars
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kailash._undo import outcome_of
from kailash.runtime import features
from kailash.runtime.effects import OutOfTimeError

if TYPE_CHECKING:
    from kailash.runtime.loops import LoopThread

Job: TypeAlias = Callable[[], None]
IDLE: Final = 10.0  # seconds that a thread waits for more work; arbitrary


class Workers:
    """A stack of idle threads; the one that worked last works next. Some have an event loop."""

    def __init__(self) -> None:
        self._idle: deque[SimpleQueue[Job]] = deque()
        self._loops: deque[LoopThread] = deque()
        weakref.finalize(self, _close, self._loops)

    def loop(self) -> LoopThread:
        """Return an event loop that nobody else uses; to be given back."""
        while self._loops:
            idle = self._loops.pop()
            if idle.pid == os.getpid():  # a thread does not survive a fork
                return idle
        return features.loops.LoopThread()

    def give_back(self, loop: LoopThread) -> None:
        """Cancel what still runs on *loop*, and keep it for others."""
        loop.cancel()
        self._loops.append(loop)

    def submit(self, job: Job) -> None:
        """Do *job*, which must not raise, in another thread."""
        job = _with_context(job)
        try:
            queue = self._idle.pop()
        except IndexError:
            threading.Thread(target=self._work, args=(job,), name="kailash-worker", daemon=True).start()
        else:
            queue.put(job)

    def call(self, function: Callable[[], Any], limit: float) -> Any:
        """Return what *function* returns in another thread.

        Raises: OutOfTimeError after *limit* seconds, the thread being left behind.
        """
        answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

        def job() -> None:
            answer.put(outcome_of(function))

        self.submit(job)
        try:
            value, fault = answer.get(timeout=limit)
        except Empty:
            raise OutOfTimeError from None
        if fault is not None:
            raise fault
        return value

    def _work(self, job: Job) -> None:
        queue: SimpleQueue[Job] = SimpleQueue()
        while True:
            job()
            del job
            self._idle.append(queue)
            try:
                job = queue.get(timeout=IDLE)
            except Empty:
                try:
                    self._idle.remove(queue)
                    return
                except ValueError:  # taken in this moment: the job is on its way
                    job = queue.get()


def _close(loops: deque[LoopThread]) -> None:
    for loop in loops:
        if loop.pid == os.getpid():
            loop.close()


def _with_context(job: Job) -> Job:
    context = contextvars.copy_context()
    return lambda: context.run(job)
