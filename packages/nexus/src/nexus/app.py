"""Nexus: the front door. It wires providers, the pipeline and the channels, and starts them.

Making one is cheap: nothing is imported, opened or bound until it is asked to serve or to answer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

from kailash._undo import Undoing
from kailash.capability import Capability, Catalogue, Provider
from kailash.errors import ConfigurationError, NotAvailableError
from nexus import exposure, features, options, serve
from nexus.call import Call, Outcome, current
from nexus.channels.base import ASGI, Channel, Receive, Scope, Send
from nexus.channels.rest.app import RestChannel, Shell
from nexus.jobs import Jobs, Remembered
from nexus.pipeline.authenticate import anonymous
from nexus.pipeline.gates import Gates
from nexus.pipeline.pipeline import Pipeline
from nexus.pipeline.validate import Validate

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kailash.runtime.record import RunStore
    from nexus.channels.mcp.server import McpChannel
    from nexus.channels.rest.shell import FastAPIShell
    from nexus.discovery import Found
    from nexus.workflows.journals import StoreOffer
    from nexus.workflows.provider import Workflows
    from nexus.workflows.starting import Starting

logger = logging.getLogger("nexus")

HEAD_START: Final = 0.25  # seconds that the first requests have before files are looked at; arbitrary
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Nexus:
    """One application: what its providers offer, over HTTP, the command line and to agents.

    keywords: the fields of `nexus.options.Options` and ``dataflow_integration``, ``dataflow_config``.

    Raises: TypeError for an unknown keyword, with the closest one; ConfigurationError; NotAvailableError for
    a feature that this version does not have.
    """

    def __init__(self, **keywords: Unpack[options.Keywords]) -> None:
        self.options = options.read(keywords)
        self._exposure = exposure.Exposure(exposure.rules(self.options))
        self._readiness = serve.Readiness(self.catalogue, self.options.ready_timeout)
        caps = {} if self.options.max_records is None else {"mcp": self.options.max_records}
        gates = Gates(authenticate=anonymous, validate=Validate(caps))
        calls = features.metrics.Calls() if self.options.enable_monitoring else None
        note = None if calls is None else calls.note
        self._pipeline = Pipeline(self._exposure.find, gates, ready=self._readiness.wait, note=note)
        self.jobs = Jobs(self.answer, self._written)
        self._exposure.add_inner(self.jobs)
        self._rest = RestChannel(
            self._exposure.on("rest"),
            self.answer,
            self.options,
            report=self._readiness.report,
            shell=self._existing_shell,
            jobs=self.jobs,
            metrics=None if calls is None else lambda: calls.text(self._measured()),
        )
        self._workflows: Workflows | None = None
        self._discovered: Sequence[Found] | None = None
        self._stopping = threading.Event()
        self._resuming: asyncio.Task[None] | None = None
        self._mcp: McpChannel | None = None
        self._shell: FastAPIShell | None = None
        self._endpoints: list[Callable[[FastAPIShell], None]] = []  # wait for the shell, so that its import can wait
        self._middleware: list[Callable[[ASGI], ASGI]] = []
        self._stack: ASGI | None = None
        self._front: serve.Front | None = None
        self._server: serve.Server | None = None
        if self.options.handed:
            _configure(self.options.integration, self.options.handed)
        if self.options.integration is not None:
            self.add(self.options.integration)

    # --- what is offered ---

    def add(self, provider: Provider) -> None:
        """Offer what *provider* has, now or later, on every channel. Adding it again changes nothing."""
        self._exposure.add(provider)

    @property
    def catalogue(self) -> Catalogue:
        """Everything that can be asked for."""
        return self._exposure.on("python")

    def catalogue_of(self, channel: str) -> Catalogue:
        """Return what can be asked for over *channel*: "rest", "cli" or "mcp"."""
        return self._exposure.on(channel)

    async def answer(self, call: Call) -> Outcome:
        """Return what came of *call*; refusals and faults are outcomes too."""
        return await self._pipeline.answer(call)

    # --- workflows ---

    def register(self, name: str, workflow: Any) -> None:
        """Offer a workflow, or what a builder holds now, under *name*; it may name nodes of models yet to come.

        Raises: ConfigurationError when another one has the name; WorkflowValidationError.
        """
        self._offered().register(name, workflow)

    def workflow(self, name: str) -> Callable[[Endpoint], Endpoint]:
        """Offer what the decorated function builds for each request; its parameters are the inputs.

        Every text that the function is handed is marked as data (`kailash.Literal`).
        """

        def keep(function: Endpoint) -> Endpoint:
            self._offered().register_function(name, function)
            return function

        return keep

    def handler(self, name: str, description: str = "") -> Callable[[Endpoint], Endpoint]:
        """Offer the decorated function as a workflow of one node."""

        def keep(function: Endpoint) -> Endpoint:
            self._offered().register_handler(name, function, description)
            return function

        return keep

    def deregister(self, name: str) -> None:
        """Offer the workflow of that name no longer. Raises: NoSuchCapabilityError."""
        self._offered().deregister(name)

    def execute_workflow(self, workflow: Any, inputs: Mapping[str, Any] | None = None) -> Any:
        """Run a workflow, what a builder holds, or a registered one by name; return ``{node id: output}``.

        Where an event loop runs in this thread, what is returned gives that when it is awaited; an endpoint may
        return it as it is. inputs: by name, and ``{node id: {input: value}}``.

        Raises: WorkflowValidationError, NodeValidationError, WorkflowExecutionError.
        """
        return self._offered().execute(workflow, inputs, current())

    def discover(self) -> Sequence[Found]:
        """With ``auto_discovery=True``, offer the workflows of the modules in the working directory, blocking, once.

        A server does that by itself, after its port is open.
        """
        if self.options.auto_discovery and self._discovered is None:
            self._discovered = []
            self._discovered = features.discovery.discover(Path.cwd(), self.register, owner=self, stop=self._stopping)
        return self._discovered or []

    # --- endpoints of the program's own ---

    def api_endpoint(self, path: str, methods: Iterable[str] = ("GET",), **more: Any) -> Callable[[Endpoint], Endpoint]:
        """Serve the decorated function at *path*; its annotations are read as FastAPI reads them.

        Every text that it is handed is marked as data (`kailash.Literal`), so that no workflow that it builds reads
        a request as a template.

        more: keywords of ``FastAPI.add_api_route``. An endpoint stands before a generated route of the same path.
        """

        def keep(function: Endpoint) -> Endpoint:
            def add(shell: FastAPIShell) -> None:
                shell.add_endpoint(path, function, list(methods), more)

            self._later(add)
            return function

        return keep

    endpoint = api_endpoint

    def include_router(self, router: Any, **more: Any) -> None:
        """Serve the routes of a FastAPI router."""
        self._later(lambda shell: shell.app.include_router(router, **more))

    def add_middleware(self, middleware: Callable[..., ASGI], *arguments: Any, **more: Any) -> None:
        """Put an ASGI middleware around everything; the last one added is the outermost.

        Raises: ConfigurationError once the application has been served.
        """
        if self._stack is not None:
            raise ConfigurationError("the application is served already", hint="add middleware before it starts")
        self._middleware.append(lambda inner: middleware(inner, *arguments, **more))

    @property
    def fastapi_app(self) -> FastAPI:
        """The FastAPI application of the program's own endpoints; made on first use."""
        return self._made_shell().app

    # --- serving ---

    @property
    def asgi(self) -> ASGI:
        """The application for any ASGI server, with its lifespan."""
        if self._stack is None:
            self._front = serve.Front(
                self._rest.asgi,
                self._agents,
                self._readiness,
                around=self._around,
                close=self._close_channels,
                leave=self._leave,
            )
            stack: ASGI = self._front
            for wrap in self._middleware:
                stack = wrap(stack)
            if self.options.cors_origins:
                stack = features.shell.with_cors(stack, self.options.cors_origins)
            self._stack = stack
        return self._stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI application."""
        await self.asgi(scope, receive, send)

    def start(self, *, blocking: bool = True) -> None:
        """Serve on ``api_port`` and ``mcp_port``.

        blocking: until SIGINT, SIGTERM or `stop`; otherwise in a thread, and the ports answer when this returns.

        Raises: PortTakenError; ConfigurationError when it is started already.
        """
        if self._server is not None:
            raise ConfigurationError("this Nexus is started already", hint="stop it first")
        if blocking:
            serve.refuse_inside_loop()
        application = self.asgi
        assert self._front is not None
        own = self._existing_shell() is not None
        server = serve.Server(application, self._front, self.options, websockets=own)
        server.bind()
        self._server = server
        with Undoing(self._forget_server):
            if blocking:
                serve.announce(self._addresses())
                server.run()
            else:
                server.run_in_thread()
        if blocking:
            self._forget_server()

    def stop(self) -> None:
        """End the serving. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def close(self) -> None:
        """End the serving. Idempotent."""
        self.stop()

    def __enter__(self) -> Nexus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def api_url(self) -> str:
        """Where HTTP is served; with ``api_port=0``, known after the start."""
        port = self._server.api_port if self._server is not None else self.options.api_port
        return f"http://{_in_url(self.options.host)}:{port}"

    @property
    def mcp_url(self) -> str:
        """Where agents are served over HTTP, on a port of their own if there is one."""
        port = self._server.mcp_port if self._server is not None else self.options.mcp_port
        return f"http://{_in_url(self.options.host)}:{port}/mcp" if port else f"{self.api_url}/mcp"

    def health_check(self) -> dict[str, Any]:
        """Return what ``/health`` answers, and whether this object serves."""
        report = self._readiness.report()
        return {"status": "ok" if report["ready"] else "starting", **report, "running": self._server is not None}

    # --- inside ---

    def _addresses(self) -> list[str]:
        lines = [f"{self.options.title} on {self.api_url} (docs at {self.api_url}/docs)"]
        if self.options.enable_mcp and self.options.enable_http_transport:
            lines.append(f"agents (MCP) on {self.mcp_url}")
        return lines

    def _offered(self) -> Workflows:
        """The workflows; made, and offered from then on, when there is one."""
        if self._workflows is None:
            self._workflows = features.provider.Workflows(self._open_store if self.options.enable_durability else None)
            self.add(self._workflows)
        return self._workflows

    def _open_store(self) -> RunStore:
        """The store of durable runs: of the first database that offers one, else a file."""
        offer = self._store_offer()
        return offer.run_store() if offer is not None else features.sqlite_store.default_store()

    def _store_offer(self) -> StoreOffer | None:
        offers = (each for each in self.catalogue.providers if isinstance(each, features.journals.StoreOffer))
        return next(offers, None)

    def _written(self) -> Iterable[Remembered]:
        return self._workflows.written() if self._workflows is not None and self._has_store() else ()

    def _has_store(self) -> bool:
        """Whether there may be journals; looking makes no file."""
        return self._store_offer() is not None or Path(features.sqlite_store.default_store().path).exists()

    def _forget_server(self) -> None:
        self._server = None

    def _leave(self) -> None:
        self._stopping.set()
        if self._workflows is not None:
            self._workflows.leave(leaving=True)

    async def _resume(self) -> None:
        """Go on with the runs that were cut off."""
        try:
            if self._workflows is not None and self.options.enable_durability and self._has_store():
                self._workflows.leave(leaving=False)
                await self._workflows.resume()
        except Exception:  # what was cut off stays as it was; the application serves
            logger.exception("runs that were cut off could not be gone on with")

    def _start_by_events(self) -> Starting | None:
        """Start workflows by events of the data, of providers that have any."""
        announcing: list[Any] = [each for each in self.catalogue.providers if hasattr(each, "on_workflow_event")]
        if not announcing or self._workflows is None:
            return None
        begun = features.starting.Starting(self._exposed, self.answer)
        begun.begin(announcing)
        return begun

    def _measured(self) -> list[str]:
        """What providers measured that do so."""
        texts = []
        for provider in self.catalogue.providers:
            with suppress(ConfigurationError):  # it measures nothing
                if (metrics := getattr(provider, "metrics", None)) is not None:
                    texts.append(metrics())
        return texts

    def _exposed(self, name: str) -> Capability:
        return self._exposure.find(Call("python", name))

    def _begin_discovery(self) -> asyncio.TimerHandle | None:
        """Look for workflows in a thread, soon; nobody waits for it, and what is found is there from then on."""
        if not self.options.auto_discovery or self._discovered is not None:
            return None
        self._stopping.clear()
        loop = asyncio.get_running_loop()

        def go_on() -> None:
            self._resuming = loop.create_task(self._resume())

        def look() -> None:
            self.discover()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(go_on)

        thread = threading.Thread(target=look, name="nexus-discovery", daemon=True)
        return loop.call_later(HEAD_START, thread.start)

    def _agents(self) -> Channel | None:
        wanted = self.options.enable_mcp and self.options.enable_http_transport
        return self.mcp if wanted else None

    @property
    def mcp(self) -> McpChannel:
        """The channel for agents; made on first use.

        Raises: NotAvailableError with ``enable_mcp=False``.
        """
        if not self.options.enable_mcp:
            raise NotAvailableError("agents are not served by this application", hint="Nexus(enable_mcp=True)")
        if self._mcp is None:
            self._mcp = features.agents.McpChannel(self._exposure.on("mcp"), self.answer, self.options)
        return self._mcp

    async def _close_channels(self) -> None:
        await self.jobs.aclose()
        await self._rest.aclose()
        if self._mcp is not None:
            await self._mcp.aclose()

    def _later(self, add: Callable[[FastAPIShell], None]) -> None:
        if self._shell is not None:
            add(self._shell)
        else:
            self._endpoints.append(add)

    def _existing_shell(self) -> Shell | None:
        return self._made_shell() if self._endpoints else self._shell

    def _made_shell(self) -> FastAPIShell:
        if self._shell is None:
            self._shell = features.shell.FastAPIShell(self.options)
        waiting, self._endpoints = self._endpoints, []
        for add in waiting:
            add(self._shell)
        return self._shell

    @asynccontextmanager
    async def _around(self) -> AsyncIterator[None]:
        """What is open as long as the application lives: the program's own, and the runs that were cut off."""
        shell = self._existing_shell()
        async with self._shell.lifespan() if shell is not None and self._shell is not None else nullcontext():
            self._resuming = asyncio.create_task(self._resume())
            discovery = self._begin_discovery()
            starting = self._start_by_events()
            try:
                yield
            finally:
                if discovery is not None:
                    discovery.cancel()
                self._leave()
                if starting is not None:
                    await starting.end()
                self._resuming.cancel()
                await asyncio.wait([self._resuming])


def _configure(integration: Any, settings: Mapping[str, Any]) -> None:
    """Hand *settings* to what takes them. Raises: ConfigurationError; what it raises itself."""
    configure = getattr(integration, "configure", None)
    if configure is None:
        names = ", ".join(settings)
        raise ConfigurationError(
            f"dataflow_config: nothing here takes {names}", hint="give a DataFlow as its integration, of 0.12 or later"
        )
    configure(settings)


def _in_url(host: str) -> str:
    if host in {"0.0.0.0", "::", ""}:  # every address; one of them is this
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
