"""One Redis server, by either face. The home of ``redis``.

Rule 1: a server that does not answer is left alone for `PAUSE` seconds; meanwhile nothing is kept and nothing is found.
Rule 2: each connection asks the server who it is. One that was started anew, or that took another's place, is another
        server: what it holds may be from before writes that it never heard of, so it is not looked at.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final
from weakref import WeakSet

from dataflow.cache.effects import AwayError, Commands
from dataflow.loops import PerLoop
from kailash.errors import ConfigurationError, NotAvailableError

try:
    import redis
    import redis.asyncio
    from redis import backoff, retry
    from redis.asyncio import retry as aretry
except ImportError as fault:
    raise NotAvailableError("cache_url needs the redis package", hint='install "dataflow[redis]"') from fault

TIMEOUT: Final = 1.0  # seconds that a command may take; arbitrary: a cache that is slower is none
PAUSE: Final = 1.0  # seconds for which a server that did not answer is left alone; arbitrary
CONNECTIONS: Final = 16  # of this process and of each event loop, at most; arbitrary
WAIT: Final = 5.0  # seconds that a caller waits for one of them; arbitrary
FAULTS: Final = (redis.RedisError, OSError, TimeoutError)

log = logging.getLogger("dataflow.cache")


class Server:
    """The server at *url*: ``redis://``, ``rediss://`` or ``unix://``."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Open nothing yet. Raises: ConfigurationError, which repeats nothing of the URL."""
        self.clock = clock
        self.epoch = b""  # who the server is; empty until it was met
        self._url = url
        self._away = -1.0  # when it is asked again
        self._lock = threading.Lock()
        self._client: Any = None
        try:
            self._make()
        except ValueError as fault:
            raise ConfigurationError(
                "cache_url is no URL of a Redis server", hint="redis://:password@host:6379/0"
            ) from fault
        self._loops: PerLoop[LoopClient] = PerLoop(lambda loop: LoopClient(self._amake(), self._loops.until_shutdown()))

    @property
    def away(self) -> bool:
        """Whether it did not answer a moment ago."""
        return self.clock() < self._away

    def ask(self, effect: Commands) -> list[Any]:
        """Reply to *effect*, blocking. Raises: AwayError."""
        self._refuse()
        try:
            if self._client is None:
                self._client = self._make()
            found = self._pipelined(self._client, effect).execute()
        except FAULTS as fault:
            raise self._lost(fault) from None
        return self._answered(found)

    async def aask(self, effect: Commands) -> list[Any]:
        """Like `ask`, under asyncio."""
        self._refuse()
        try:
            client = await self._loops.current().ready()
            found = await self._pipelined(client, effect).execute()
        except FAULTS as fault:
            raise self._lost(fault) from None
        return self._answered(found)

    def close(self) -> None:
        """Close the connections; those in use are closed when they come back."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self._loops.close()

    async def aclose(self) -> None:
        """Like `close`, and await those of this event loop."""
        await self._loops.aclose()
        self.close()

    def _refuse(self) -> None:
        if self.away:
            raise AwayError

    def _answered(self, found: list[Any]) -> list[Any]:
        if self._away > 0:
            self._away = -1.0
            log.warning("Redis answers again; answers are kept there as before")
        return found

    def _lost(self, fault: BaseException) -> AwayError:
        if self._away < 0:
            log.warning("Redis does not answer (%s); the database is asked instead", type(fault).__name__)
        self._away = self.clock() + PAUSE
        return AwayError()

    def _pipelined(self, client: Any, effect: Commands) -> Any:
        pipeline = client.pipeline(transaction=False)
        for command in effect.commands:
            pipeline.execute_command(*command)
        return pipeline

    def _make(self) -> Any:
        again = retry.Retry(backoff.NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        pool = redis.BlockingConnectionPool.from_url(
            self._url, max_connections=CONNECTIONS, timeout=WAIT, retry=again, redis_connect_func=self._meet, **_TIMES
        )
        return redis.Redis.from_pool(pool)

    def _amake(self) -> Any:
        again = aretry.Retry(backoff.NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            self._url, max_connections=CONNECTIONS, timeout=WAIT, retry=again, redis_connect_func=self._ameet, **_TIMES
        )
        return redis.asyncio.Redis.from_pool(pool)

    def _meet(self, connection: Any) -> None:
        """Set up a connection as the driver does, and ask who is at its other end."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        self._met(connection.read_response())

    async def _ameet(self, connection: Any) -> None:
        self._loops.current().connections.add(connection)
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        self._met(await connection.read_response())

    def _met(self, info: Any) -> None:
        lines = (info if isinstance(info, bytes) else str(info).encode()).splitlines()
        self.epoch = next((line for line in lines if line.startswith(b"run_id:")), b"")
        if not self.epoch:
            raise redis.ConnectionError("the server does not say who it is")


_TIMES: Final = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}


class LoopClient:
    """The connections of one event loop."""

    def __init__(self, client: Any, until_shutdown: AsyncGenerator[None, None]) -> None:
        self._client = client
        self._until_shutdown = until_shutdown
        self._begun = False
        self.connections: WeakSet[Any] = WeakSet()

    async def ready(self) -> Any:
        """Return the client; it is closed when the loop ends."""
        if not self._begun:
            self._begun = True
            await anext(self._until_shutdown)
        return self._client

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose(close_connection_pool=True)

    def discard(self) -> None:
        """End them without their loop; sockets are closed with their transports."""
        for connection in self.connections:
            connection._close()  # the driver's own way where no loop runs; there is no public one
