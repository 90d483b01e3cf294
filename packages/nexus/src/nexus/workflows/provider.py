"""The workflows of one application, as a provider of capabilities."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from kailash.capability import Capability
from kailash.errors import (
    ConfigurationError,
    KailashError,
    NoSuchCapabilityError,
    RunInProgressError,
    did_you_mean,
)
from kailash.runtime.record import RunRecord, RunStore
from nexus.call import NOBODY, Asking
from nexus.jobs import Remembered
from nexus.workflows.entries import Entry, Fixed, Made, handler, unmarked
from nexus.workflows.journals import Journals, request_of
from nexus.workflows.runs import Runs

logger = logging.getLogger("nexus")

AT_ONCE: Final = 10  # runs that are gone on with side by side; arbitrary
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")  # it stands in a path, in a command and in the name of a tool


class Workflows:
    """What was registered, by name. open_store: gives the store of durable runs; None: no run is durable."""

    def __init__(self, open_store: Callable[[], RunStore] | None = None) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._revision = 0
        self.runs = Runs(Journals(open_store) if open_store is not None else None)

    # -- registering

    def register(self, name: str, workflow: Any) -> None:
        """Offer a workflow, or what a builder holds now. Raises: ConfigurationError, WorkflowValidationError."""
        self._add(Fixed(_checked(name), workflow))

    def register_function(self, name: str, function: Callable[..., Any]) -> None:
        """Offer what *function* builds for each request. Raises: ConfigurationError, WorkflowValidationError."""
        self._add(Made(_checked(name), function))

    def register_handler(self, name: str, function: Callable[..., Any], description: str) -> None:
        """Offer *function* as a workflow of one node. Raises: ConfigurationError, NodeConfigurationError."""
        self._add(handler(_checked(name), function, description))

    def deregister(self, name: str) -> None:
        """Offer the workflow of that name no longer; runs of it go on. Raises: NoSuchCapabilityError."""
        with self._lock:
            if name not in self._entries:
                raise self._unknown(name)
            self._entries = {each: entry for each, entry in self._entries.items() if each != name}
            self._revision += 1

    def find(self, name: str) -> Entry | None:
        """Return the workflow of that name, or None."""
        return self._entries.get(name)

    # -- running

    def execute(self, workflow: Any, inputs: Mapping[str, Any] | None = None, asking: Asking = NOBODY) -> Any:
        """Run a workflow, what a builder holds, or the registered one of that name; see `Runs.execute`.

        Raises: NoSuchCapabilityError, InvalidInputError, NodeValidationError, WorkflowExecutionError.
        """
        if not isinstance(workflow, str):
            return self.runs.execute(workflow, inputs, asking)
        entry = self._entries.get(workflow)
        if entry is None:
            raise self._unknown(workflow)
        asked = entry.accept(unmarked(dict(inputs or {})))
        return self.runs.execute(entry.workflow(asked, asking.context), entry.parameters(asked), asking)

    # -- what was cut off

    def written(self) -> list[Remembered]:
        """Return the runs that are written down, the latest first."""
        store = self.runs.journals.recoverable() if self.runs.journals is not None else None
        return [_remembered(record) for record in store.recent()] if store is not None else []

    def leave(self, *, leaving: bool) -> None:
        """Say that the process ends, so that what fails now is gone on with later; or that it goes on."""
        if self.runs.journals is not None:
            self.runs.journals.leaving = leaving

    async def resume(self) -> int:
        """Go on with the runs that were cut off; return how many came to their end."""
        journals = self.runs.journals
        store = journals.recoverable() if journals is not None else None
        if store is None:
            return 0
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(record: RunRecord) -> bool:
            async with turns:
                return await self._go_on(record)

        return sum(await asyncio.gather(*[one(record) for record in store.take_over(self._entries)]))

    async def _go_on(self, record: RunRecord) -> bool:
        entry = self._entries.get(record.name)
        if entry is None:
            return False
        logger.info("going on with run %s of workflow %s", record.run_id, record.name)
        request = request_of(record)
        try:
            await self.runs.acall(entry, entry.accept(request.given), request.context(), record.run_id)
        except RunInProgressError:  # another call of this process has it in hand
            return False
        except KailashError as error:
            logger.warning("run %s of workflow %s: %s", record.run_id, record.name, error.message)
            return False
        return True

    # -- as a provider

    def capabilities(self) -> Iterable[Capability]:
        return [self.runs.capability(entry) for entry in self._entries.values()]

    @property
    def revision(self) -> int:
        return self._revision

    def prepare(self) -> None:
        """Nothing has to be made ready."""

    def close(self) -> None:
        """Close the store of the journals."""
        if self.runs.journals is not None:
            self.runs.journals.close()

    def _unknown(self, name: str) -> NoSuchCapabilityError:
        return NoSuchCapabilityError(f"no workflow is named {name!r}", hint=did_you_mean(name, self._entries))

    def _add(self, entry: Entry) -> None:
        with self._lock:
            known = self._entries.get(entry.name)
            if known is not None and not known.same(entry):
                raise ConfigurationError(
                    f"another workflow is named {entry.name!r}", hint="deregister it first, or choose another name"
                )
            self._entries = {**self._entries, entry.name: entry}
            self._revision += 1


def _remembered(record: RunRecord) -> Remembered:
    request = request_of(record)
    return Remembered(record.run_id, record.name, record.status, (request.principal, request.tenant))


def _checked(name: str) -> str:
    if not NAME.fullmatch(str(name)):
        raise ConfigurationError(
            f"{name!r} cannot name a workflow", hint="begin with a letter, then letters, digits, '_', '-' and '.'"
        )
    return name
