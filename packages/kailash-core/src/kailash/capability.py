"""Capabilities: named things that can be asked for, whoever asks.

A model's eleven operations are eleven capabilities; a workflow is one. A route, a command, a tool, a node
and a message are five faces of a capability, and a channel knows nothing else about the system behind it.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

from kailash.context import Context
from kailash.errors import ConfigurationError, NoSuchCapabilityError, did_you_mean
from kailash.shapes import Shape

Inputs: TypeAlias = Mapping[str, Any]


class Nature(enum.Enum):
    """How much a call can change; method, confirmation, cache and audit are decided by it."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"


class Intake(Protocol):
    """What a capability accepts, and how it reads it."""

    def schema(self) -> dict[str, Any]:
        """Return the canonical inputs as a JSON Schema object: flat, ``additionalProperties`` false."""

    def accept(self, given: Inputs) -> Any:
        """Return *given* checked and ready for ``call``.

        Raises: InvalidInputError with every bad field; InvalidFilterError.
        """


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a system can do: its name, its shapes, and its two faces.

    ``call`` and ``acall`` take what ``inputs.accept`` returned and give one ``output``: a mapping.
    """

    name: str  # "products.list", "process_order"
    summary: str  # one sentence: CLI help, OpenAPI summary, MCP description
    nature: Nature
    inputs: Intake
    output: Callable[[], dict[str, Any]]  # makes the JSON Schema of the result
    call: Callable[[Any, Context], Mapping[str, Any]]
    acall: Callable[[Any, Context], Awaitable[Mapping[str, Any]]]
    resource: str = ""  # "products"; empty for a workflow
    action: str = ""  # "list"; one of the eleven operations and "aggregate"; empty for a workflow
    record: Shape | None = None  # a record of the resource: what filters, sorts and text values refer to
    bulk: bool = False
    idempotent: bool = False
    picture: Callable[[], str] | None = None  # draws a workflow in Mermaid's flowchart language

    def direct(self, given: Inputs, context: Context) -> Mapping[str, Any]:
        """Check *given* and do it, blocking."""
        return self.call(self.inputs.accept(given), context)

    async def adirect(self, given: Inputs, context: Context) -> Mapping[str, Any]:
        """Check *given* and do it, under asyncio."""
        return await self.acall(self.inputs.accept(given), context)


class Provider(Protocol):
    """Anything that has capabilities to offer: a database, a set of workflows."""

    def capabilities(self) -> Iterable[Capability]:
        """Return what is offered now."""

    @property
    def revision(self) -> int:
        """A number that grows whenever ``capabilities`` would answer differently."""

    def prepare(self) -> None:
        """Make ready what the first call needs (a schema), blocking. Idempotent; thread-safe."""

    def close(self) -> None:
        """Give back what is held, blocking. Idempotent."""


class Catalogue(Mapping[str, Capability]):
    """Capabilities by name, from every provider; the one list that all channels read.

    It follows its providers: what a provider offers later appears, whoever asks next sees it.
    """

    def __init__(self, providers: Iterable[Provider] = ()) -> None:
        self._providers: tuple[Provider, ...] = tuple(providers)
        self._seen: tuple[int, ...] | None = None
        self._by_name: dict[str, Capability] = {}

    @property
    def providers(self) -> tuple[Provider, ...]:
        return self._providers

    def add(self, provider: Provider) -> None:
        """Offer *provider*'s capabilities too. Adding it again changes nothing."""
        if all(provider is not known for known in self._providers):
            self._providers = (*self._providers, provider)

    @property
    def revision(self) -> tuple[int, ...]:
        """Equal as long as nothing was added or withdrawn; cheap to compare on every call."""
        return tuple([provider.revision for provider in self._providers])

    def find(self, name: str) -> Capability:
        """Return the capability of that name.

        Raises: NoSuchCapabilityError, with the closest names.
        """
        try:
            return self._current()[name]
        except KeyError:
            raise NoSuchCapabilityError(f"nothing is named {name!r}", hint=did_you_mean(name, self)) from None

    def __getitem__(self, name: str) -> Capability:
        return self._current()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> dict[str, Capability]:
        revision = self.revision
        if revision != self._seen:
            self._by_name = _gather(self._providers)
            self._seen = revision
        return self._by_name


def _gather(providers: Iterable[Provider]) -> dict[str, Capability]:
    by_name: dict[str, Capability] = {}
    for provider in providers:
        for capability in provider.capabilities():
            if capability.name in by_name:
                raise ConfigurationError(
                    f"two capabilities are named {capability.name!r}", hint="give one of them another name"
                )
            by_name[capability.name] = capability
    return by_name
