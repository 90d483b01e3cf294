"""Running workflows: blocking or under asyncio, written down or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, TypeAlias

from kailash.capability import Capability
from kailash.context import Context
from kailash.runtime.aio import AsyncLocalRuntime
from kailash.runtime.as_capability import output_schema, run_result
from kailash.runtime.base import workflow_of
from kailash.runtime.local import LocalRuntime
from kailash.workflow.graph import Workflow
from nexus.call import NOBODY, Asking, Outputs
from nexus.telemetry import traced
from nexus.workflows.entries import Asked, Entry, unmarked
from nexus.workflows.journals import Journals, Request, of_endpoint, run_id_of

Ran: TypeAlias = tuple[dict[str, Any], str]  # the outputs of the steps, and the id of the run


class Runs:
    """The runtimes of one application. journals: where runs are written down; None: nowhere."""

    def __init__(self, journals: Journals | None = None) -> None:
        self.journals = journals
        self._blocking = LocalRuntime()
        self._under_loop = AsyncLocalRuntime()
        self._durable = LocalRuntime(store=journals)
        self._adurable = AsyncLocalRuntime(store=journals)

    def capability(self, entry: Entry) -> Capability:
        """Return what channels see of a registered workflow."""

        def call(asked: Asked, context: Context) -> Mapping[str, Any]:
            return self.call(entry, asked, context)

        async def acall(asked: Asked, context: Context) -> Mapping[str, Any]:
            return await self.acall(entry, asked, context)

        return Capability(
            name=entry.name,
            summary=entry.summary,
            nature=entry.nature,
            inputs=entry,
            output=output_schema,
            call=call,
            acall=acall,
            picture=entry.picture,
        )

    def call(self, entry: Entry, asked: Asked, context: Context) -> Mapping[str, Any]:
        """Run a registered workflow, blocking."""
        started = time.monotonic()
        workflow, parameters = entry.workflow(asked, context), entry.parameters(asked)
        request = self._request(entry, asked, context, workflow)
        return run_result(entry.name, started, self._run(entry.name, workflow, parameters, context, request))

    async def acall(self, entry: Entry, asked: Asked, context: Context, run_id: str = "") -> Mapping[str, Any]:
        """Run a registered workflow. run_id: of a run that was cut off, which goes on."""
        started = time.monotonic()
        workflow, parameters = entry.workflow(asked, context), entry.parameters(asked)
        request = self._request(entry, asked, context, workflow)
        ran = await self._arun(entry.name, workflow, parameters, context, request, run_id)
        return run_result(entry.name, started, ran)

    def execute(self, given: Any, inputs: Mapping[str, Any] | None, asking: Asking = NOBODY) -> Any:
        """Run a workflow or what a builder holds: return its outputs, or what gives them when it is awaited.

        It is awaited where an event loop runs in this thread, which a blocking run would stop. A request with an
        idempotency key makes it durable if it writes.
        """
        workflow: Workflow = workflow_of(given)
        parameters = unmarked(dict(inputs or {}))
        context = asking.context
        request = None
        if self.journals is not None and context.idempotency_key and workflow.effect == "writes":
            request = of_endpoint(asking.next_name(), workflow, context)
        name = workflow.spec.name or asking.name
        if _loop_runs():
            return self._aexecute(name, workflow, parameters, context, request)
        return Outputs(*self._run(name, workflow, parameters, context, request))

    async def _aexecute(
        self, name: str, workflow: Workflow, parameters: Mapping[str, Any], context: Context, request: Request | None
    ) -> Outputs:
        return Outputs(*await self._arun(name, workflow, parameters, context, request))

    def _request(self, entry: Entry, asked: Asked, context: Context, workflow: Workflow) -> Request | None:
        """What is written down of this run; None for one that changes nothing and has no key."""
        if self.journals is None or not (context.idempotency_key or workflow.effect == "writes"):
            return None
        return Request(entry.name, asked.given, context.principal, context.tenant, tuple(context.roles))

    def _run(
        self, name: str, workflow: Workflow, parameters: Mapping[str, Any], context: Context, request: Request | None
    ) -> Ran:
        with traced(name, context) as seen:
            if request is None or self.journals is None:
                return self._blocking.execute(workflow, parameters=parameters, context=seen)
            run_id = run_id_of(request, context.idempotency_key)
            with self.journals.entered(run_id, request):
                return self._durable.execute(workflow, parameters=parameters, context=seen, run_id=run_id)

    async def _arun(
        self,
        name: str,
        workflow: Workflow,
        parameters: Mapping[str, Any],
        context: Context,
        request: Request | None,
        run_id: str = "",
    ) -> Ran:
        with traced(name, context) as seen:
            if request is None or self.journals is None:
                return await self._under_loop.execute(workflow, parameters=parameters, context=seen)
            run_id = run_id or run_id_of(request, context.idempotency_key)
            with self.journals.entered(run_id, request):
                return await self._adurable.execute(workflow, parameters=parameters, context=seen, run_id=run_id)


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
