"""The thread that writes to a SQLite file for event loops: transactions, and what waits or takes long."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from typing import Any, TypeVar

from dataflow.effects import DataPlan, Effect, Errand
from dataflow.errors import DatabaseError
from dataflow.executors.atransaction import begun, finish, leave
from dataflow.executors.sqlite import Held, SqliteDatabase, SqliteSession
from dataflow.executors.transaction import Deed, Work
from kailash._undo import Undoing, outcome_of
from kailash.plan import proceed

T = TypeVar("T")


class Job:
    """The rest of a plan, for the writer."""

    __slots__ = ("cancelled", "deeds", "effect", "errands", "future", "loop", "plan")

    def __init__(self, plan: DataPlan[Any], effect: Effect, loop: asyncio.AbstractEventLoop) -> None:
        self.plan = plan
        self.effect = effect
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.deeds: list[Deed] = []
        self.errands: list[Errand] = []
        self.cancelled = False

    def settle(self, value: Any, fault: BaseException | None) -> None:
        """Tell the task, on its loop."""
        self.errands = begun(self.deeds)
        if self.future.done():  # cancelled
            leave(self.errands)
            return
        if fault is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(fault)


class Writer:
    """The one thread of a process that writes to a file for its event loops, and its connection."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # of the next two: a cancelled task may cut off its own job, and no other
        self._current: Job | None = None
        self._session: SqliteSession | None = None

    async def do(self, plan: DataPlan[T], effect: Effect) -> T:
        """Run *plan* from *effect* on the thread; return its value and do its deeds here."""
        job = Job(plan, effect, asyncio.get_running_loop())
        if self._thread is None:
            self._start()
        self._jobs.put(job)
        try:
            value: T = await job.future
        except asyncio.CancelledError:
            self._cancel(job)
            raise
        finally:
            if job.errands:
                await finish(job.errands)
        return value

    def stop(self) -> None:
        """End the thread after the jobs it has."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="dataflow-sqlite-writer", daemon=True)
                self._thread.start()

    def _cancel(self, job: Job) -> None:
        with self._lock:
            job.cancelled = True
            if self._current is job and self._session is not None:
                self._session.connection.interrupt()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            value, fault = outcome_of(self._run, job)
            with contextlib.suppress(RuntimeError):  # the loop was closed in the meantime: nobody waits
                job.loop.call_soon_threadsafe(job.settle, value, fault)
            del job, value, fault  # a thread that waits must not keep a result alive
        if self._session is not None:
            self._session.close()
            self._session = None

    def _run(self, job: Job) -> Any:
        turn = self._database.turn.take()
        try:
            if self._session is None:
                self._session = self._database.connect()
            with self._lock:
                self._current = job
            try:
                return self._perform(job, self._session)
            finally:
                with self._lock:
                    self._current = None
                    if not self._session.left():
                        self._session.close()
                        self._session = None
        finally:
            self._database.turn.give(turn)

    def _perform(self, job: Job, session: SqliteSession) -> Any:
        work = Work(Held(session))

        def answer(effect: Effect) -> Any:
            if job.cancelled:
                raise DatabaseError("the task that asked was cancelled")
            return work.answer(effect)

        try:
            with Undoing(work.fail):
                value = proceed(job.plan, job.effect, answer)
        finally:
            job.deeds = work.deeds
        work.succeed()
        job.deeds = work.deeds
        return value
