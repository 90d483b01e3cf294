"""An event loop of its own in another thread, for blocking runs that meet coroutines.

Rule: this module imports asyncio, so it is imported by the first run that needs it.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Coroutine
from queue import Empty, SimpleQueue
from typing import Any

from kailash.errors import NodeExecutionError
from kailash.runtime.effects import OutOfTimeError


class LoopThread:
    """An event loop of its own in another thread, for blocking runs that meet coroutines, one at a time."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="kailash-loop", daemon=True)
        self._thread.start()

    def call(self, made: Coroutine[Any, Any, Any], limit: float | None) -> Any:
        """Return what the coroutine returns; others may run on the loop at the same time.

        Raises: OutOfTimeError after *limit* seconds, the coroutine being cancelled.
        """
        answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        context = contextvars.copy_context()
        started: list[asyncio.Task[Any]] = []

        async def work() -> None:
            try:
                answer.put((await made, None))
            except asyncio.CancelledError as fault:
                answer.put((None, NodeExecutionError("the coroutine was cancelled")))
                raise fault from None
            except BaseException as fault:  # noqa: BLE001 - handed over to the thread that asked
                answer.put((None, fault))

        self._loop.call_soon_threadsafe(lambda: started.append(self._loop.create_task(work())), context=context)
        try:
            value, fault = answer.get(timeout=limit)
        except Empty:
            self._loop.call_soon_threadsafe(lambda: started[0].cancel())  # noqa: PLW0108 - it may not be there yet
            raise OutOfTimeError from None
        if fault is not None:
            raise fault
        return value

    def cancel(self) -> None:
        """Cancel what still runs, before anything that is called from now on."""

        def cancel() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)

    def close(self) -> None:
        """Cancel what still runs and end the thread, without waiting for what does not listen."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=1))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
