"""From nothing to listening and back: readiness, the ASGI front of all channels, and the server.

Rule 1: the port opens first; the schema is made ready after that, in a thread. ``/health/live`` answers at once,
``/health/ready`` when the schema is there, and calls in between wait, bounded.
Rule 2: uvicorn is imported when something is served, never before.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from kailash._lazy import Late
from kailash._undo import Noting
from kailash.capability import Catalogue
from kailash.errors import ConfigurationError, KailashError
from nexus import wire
from nexus.channels.base import ASGI, Channel, Receive, Scope, Send
from nexus.errors import NotReadyError, PortTakenError
from nexus.options import Options

if TYPE_CHECKING:
    import uvicorn
else:
    uvicorn = Late("uvicorn")  # 60 ms; only who serves pays for it

logger = logging.getLogger("nexus")

FIRST_RETRY: Final = 0.5  # seconds before a failed preparation is tried again; doubles up to LAST_RETRY
LAST_RETRY: Final = 10.0
GRACE: Final = 5  # seconds that open requests get when the server stops; arbitrary


class Readiness:
    """Whether what the providers need (a schema) is there, and the thread that makes it so."""

    def __init__(self, catalogue: Catalogue, timeout: float) -> None:
        self._catalogue = catalogue
        self._timeout = timeout
        self._lock = threading.Lock()
        self._done: Future[None] | None = None  # of the preparation under way; None: nothing has to be waited for
        self._prepared: tuple[int, ...] | None = None  # revision of the catalogue that is ready
        self._error: KailashError | None = None
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Prepare all providers in a thread, again and again while that fails. Does nothing when it is under way."""
        with self._lock:
            if self._done is not None or self._prepared == self._catalogue.revision:
                return
            self._stopped.clear()
            self._done = Future()
            threading.Thread(target=self._prepare, name="nexus-prepare", daemon=True).start()

    def stop(self) -> None:
        """Try no more, and let go of who waits. What is under way in a database ends by itself."""
        self._stopped.set()
        with self._lock:
            self._end()

    async def wait(self) -> None:
        """Return when the first preparation under way is over, however it ended: the call itself will say.

        Raises: NotReadyError when that takes longer than the time-out.
        """
        done = self._done
        if done is None or self._error is not None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(done)), self._timeout)
        except TimeoutError:
            raise NotReadyError(
                f"the schema is not ready after {self._timeout:g} seconds", hint="try again a little later"
            ) from None

    def report(self) -> Mapping[str, Any]:
        """Return ``{"ready": ...}``, with the code and the sentence of what stands in the way, and begin if need be."""
        if self._prepared == self._catalogue.revision:
            return {"ready": True}
        self.begin()
        error = self._error
        if error is None:
            return {"ready": False}
        return {"ready": False, "code": error.code, "detail": error.message}

    def _prepare(self) -> None:
        pause = FIRST_RETRY
        while not self._stopped.is_set():
            revision = self._catalogue.revision
            error = _first_error(self._catalogue)
            with self._lock:
                self._error = error
                if error is None:
                    self._prepared = revision
                    self._end()
                    return
                if self._done is not None and not self._done.done():
                    self._done.set_result(None)
            logger.warning("not ready: %s", error)
            self._stopped.wait(pause)
            pause = min(pause * 2, LAST_RETRY)

    def _end(self) -> None:
        done, self._done = self._done, None
        if done is not None and not done.done():
            done.set_result(None)


def _first_error(catalogue: Catalogue) -> KailashError | None:
    for provider in catalogue.providers:
        try:
            provider.prepare()
        except Exception as fault:  # a provider may be the user's; its fault is told, and it is asked again
            if not isinstance(fault, KailashError):
                logger.exception("a provider could not be prepared")
            return wire.translated(fault)
    return None


class Front:
    """The ASGI application of all channels: REST, agents at ``/mcp`` and on a port of their own, and the lifespan.

    agents: gives the channel for agents, or None. around: what is open as long as the application lives.
    leave: called when the end begins, before open requests are waited for.
    """

    def __init__(
        self,
        rest: ASGI,
        agents: Callable[[], Channel | None],
        readiness: Readiness,
        *,
        around: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
        close: Callable[[], Coroutine[Any, Any, None]] | None = None,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._rest = rest
        self._agents = agents
        self._met: Channel | None = None  # once an agent has come
        self._readiness = readiness
        self._around = around
        self._close = close
        self._leave = leave
        self.agents_port: int | None = None  # every path of this port is the agents'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] == "http" and self._is_for_agents(scope) and (agents := self._agents()) is not None:
            self._met = agents
            await agents.asgi(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def release(self) -> None:
        """End what agents keep open only to hear of news; a server would wait for it to the end of its grace."""
        self._leave()
        if self._met is not None and (release := getattr(self._met, "release", None)) is not None:
            release()

    def _is_for_agents(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if root := scope.get("root_path"):
            path = path.removeprefix(root)
        if path == "/mcp" or path.startswith("/mcp/"):
            return True
        return self.agents_port is not None and (scope.get("server") or (None, None))[1] == self.agents_port

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._around():
                asyncio.get_running_loop().call_soon(self._readiness.begin)
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await self._end()
        except Exception as fault:  # told to the server, which stops
            logger.exception("the application's own start or end failed")
            await send({"type": "lifespan.startup.failed", "message": type(fault).__name__})
            return
        await send({"type": "lifespan.shutdown.complete"})

    async def _end(self) -> None:
        self._readiness.stop()
        if self._close is not None:
            await self._close()


class Server:
    """One application on its ports.

    websockets: whether anything in it takes them; loading what speaks them costs start-up time.
    """

    def __init__(self, application: ASGI, front: Front, options: Options, *, websockets: bool) -> None:
        self._application = application
        self._websockets = websockets
        self._front = front
        self._options = options
        self._sockets: list[socket.socket] = []
        self._uvicorn: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._listening = threading.Event()
        self.api_port = options.api_port
        self.mcp_port = options.mcp_port

    def bind(self) -> None:
        """Take the ports, so that they are ours or the error is the caller's. Port 0 becomes a free one.

        Raises: PortTakenError.
        """
        options = self._options
        self._sockets = [_bound(options.host, options.api_port, "api_port")]
        self.api_port = self._sockets[0].getsockname()[1]
        if (
            options.enable_mcp
            and options.enable_http_transport
            and options.mcp_port not in {None, options.api_port or -1}
        ):
            try:
                self._sockets.append(_bound(options.host, options.mcp_port or 0, "mcp_port"))
            except PortTakenError:
                self._sockets.pop().close()
                raise
            self.mcp_port = self._sockets[1].getsockname()[1]
            self._front.agents_port = self.mcp_port

    def run(self) -> None:
        """Serve in this thread until SIGINT, SIGTERM or `stop`."""
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        finally:
            for each in self._sockets:
                each.close()

    def run_in_thread(self) -> None:
        """Serve in a thread; return when the ports answer. Raises: what made the server stop before that."""
        self._thread = threading.Thread(target=self._run_kept, name="nexus-server", daemon=True)
        self._thread.start()
        self._listening.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the serving, give open requests a few seconds, and return when it is over."""
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run_kept(self) -> None:
        try:
            with Noting(self._fail):
                self.run()
        finally:
            self._listening.set()

    def _fail(self, fault: BaseException) -> None:
        self._failure = fault

    async def _serve(self) -> None:
        server = self._uvicorn = _make_uvicorn(
            self._application, self._listening, self._front.release, websockets=self._websockets
        )
        with _stopped_by_signals(server):
            await server.serve(sockets=self._sockets)
        if not self._listening.is_set():
            raise ConfigurationError("the application did not start", hint="the log says why")


def _make_uvicorn(
    application: ASGI, listening: threading.Event, release: Callable[[], None], *, websockets: bool
) -> uvicorn.Server:
    class Quiet(uvicorn.Server):
        """A server that leaves signals to us and says when it listens."""

        def capture_signals(self) -> Any:
            return nullcontext()

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                listening.set()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            release()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="auto" if websockets else "none",
        lifespan="on",
        timeout_graceful_shutdown=GRACE,
    )
    return Quiet(config)


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGINT and SIGTERM end *server* cleanly; a second one at once. Only the main thread hears signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, kept in before.items():
            signal.signal(number, kept)


def _bound(host: str, port: int, option: str) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as cause:
        raise PortTakenError(
            f"{option} {port} of {host!r} cannot be opened: {(cause.strerror or 'refused').lower()}",
            hint=f"stop the program that listens there, or choose another {option}",
        ) from cause


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # an optional extra; twice the requests of the standard loop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def refuse_inside_loop() -> None:
    """Raise ConfigurationError when this thread runs an event loop, which serving would stop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigurationError(
        "this thread runs an event loop already", hint="call start(blocking=False), or give app.asgi to it"
    )


def announce(lines: Iterable[str]) -> None:
    """Tell the person at the terminal; standard output stays free for what the program itself writes."""
    for line in lines:
        sys.stderr.write(f"{line}\n")
