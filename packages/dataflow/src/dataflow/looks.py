"""Who looks at the tables for what others wrote, and when: `change_detection_method="polling"`.

Rule 1: whoever asks, looks at once; as long as somebody hears changes, a thread of its own looks every `LOOK` seconds,
        and not more than one part in `SHARE` of the time: tables may be large.
Rule 2: what is told is seen before it is forgotten (`remember`).
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from typing import Final

from dataflow.ledger.looking import Sight
from dataflow.ledger.telling import Teller
from dataflow.model.registry import Models
from dataflow.operations.dialect import Dialect
from dataflow.transactions.joined import Home
from kailash.errors import ConfigurationError, KailashError
from kailash.plan import adrive, drive

LOOK: Final = 1.0  # seconds between two looks of those who hear; arbitrary
SHARE: Final = 10  # arbitrary

log = logging.getLogger("dataflow.feed")


class Looks:
    """The looks at the tables of one database."""

    def __init__(self, home: Home, models: Models, dialect: Dialect, *, asked: bool) -> None:
        """Do nothing yet. asked: whether anybody wants this database looked at."""
        self._home, self._models, self._dialect, self._asked = home, models, dialect, asked
        self._sights: dict[str, Sight] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> int:
        """Tell of what others wrote since the last look; return how many changes that are."""
        sights = self._seeing()
        self._home.prepare()
        now, run = dt.datetime.now(dt.UTC), self._home.sync().run
        return sum([drive(sight.look(now), run) for sight in sights])

    async def alook(self) -> int:
        """Like `look`."""
        sights = self._seeing()
        await self._home.aprepare()
        now, run = dt.datetime.now(dt.UTC), self._home.aio().run
        return sum([await adrive(sight.look(now), run) for sight in sights])

    def remember(self) -> None:
        """Have what is told count as seen, where this database is looked at: it may be forgotten then."""
        if self._asked:
            sights = self._seeing()
            self._home.prepare()
            for sight in sights:
                while self._home.sync().run(sight.catch_up()):
                    pass

    def begin(self) -> None:
        """Look now and then, where that is asked for, to the `end`. Idempotent."""
        with self._lock:
            if self._asked and self._thread is None:
                self._ended.clear()
                self._thread = threading.Thread(target=self._work, name="dataflow-looks", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """End the thread. Idempotent."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._ended.set()
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            began = time.monotonic()
            try:
                self.look()
            except KailashError as fault:  # the database is away, or busy: the next look finds it all
                log.warning("the tables cannot be looked at (%s); trying again", fault.code)
            pause = max(LOOK, SHARE * (time.monotonic() - began))

    def _seeing(self) -> list[Sight]:
        """Return how the tables are looked at, one for each model that is told of; before the tables are prepared."""
        if not self._asked:
            raise ConfigurationError("nobody looks at the tables", hint='pass change_detection_method="polling"')
        tellers = [model.teller for model in self._models]
        ledgers = [teller.ledger for teller in tellers if isinstance(teller, Teller) and teller.ledger is not None]
        for ledger in ledgers:
            known = self._sights.get(ledger.spec.name)
            if known is None or known.ledger is not ledger:
                self._sights[ledger.spec.name] = Sight(ledger, self._dialect)
        return [self._sights[ledger.spec.name] for ledger in ledgers]
