"""The workflows of one application, as a provider of capabilities."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from kailash.capability import Capability
from kailash.context import ANONYMOUS, Context
from kailash.errors import ConfigurationError, NoSuchCapabilityError, did_you_mean
from kailash.runtime.record import RunStore
from nexus.workflows.entries import Entry, Fixed, Made, handler
from nexus.workflows.journals import Journals
from nexus.workflows.runs import Runs

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

    def execute(self, workflow: Any, inputs: Mapping[str, Any] | None = None, context: Context | None = None) -> Any:
        """Run a workflow, what a builder holds, or the registered one of that name; see `Runs.execute`.

        Raises: NoSuchCapabilityError, InvalidInputError, NodeValidationError, WorkflowExecutionError.
        """
        if not isinstance(workflow, str):
            return self.runs.execute(workflow, inputs, context)
        entry = self._entries.get(workflow)
        if entry is None:
            raise self._unknown(workflow)
        asked = entry.accept(inputs or {})
        return self.runs.execute(entry.workflow(asked, context or ANONYMOUS), entry.parameters(asked), context)

    # -- as a provider

    def capabilities(self) -> Iterable[Capability]:
        return [self.runs.capability(entry) for entry in self._entries.values()]

    @property
    def revision(self) -> int:
        return self._revision

    def prepare(self) -> None:
        """Nothing has to be made ready."""

    def close(self) -> None:
        """Nothing is held."""

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


def _checked(name: str) -> str:
    if not NAME.fullmatch(str(name)):
        raise ConfigurationError(
            f"{name!r} cannot name a workflow", hint="begin with a letter, then letters, digits, '_', '-' and '.'"
        )
    return name
