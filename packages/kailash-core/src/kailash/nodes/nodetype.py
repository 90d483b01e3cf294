"""What a node type is: a name, what it accepts, what it touches, and two faces of one behaviour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from kailash.capability import Intake
from kailash.errors import NodeConfigurationError
from kailash.nodes.parameters import Parameters
from kailash.nodes.scope import Scope
from kailash.shapes import Shape

Values: TypeAlias = dict[str, Any]
Effect: TypeAlias = Literal["pure", "reads", "writes"]
Run: TypeAlias = Callable[[Values, Scope], Any]
ARun: TypeAlias = Callable[[Values, Scope], Awaitable[Any]]


class NodeType(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A kind of step.

    ``run`` and ``arun`` take the step's inputs by name and the run's `Scope`, and return a mapping. At least
    one is given; a runtime derives the other (a thread; a private event loop).
    ``effect`` decides the order: reads may run side by side, a write waits for all data-touching steps
    before it in program order, later ones wait for it. ``pure`` touches nothing outside.
    """

    name: str
    run: Run | None = None
    arun: ARun | None = None
    inputs: Parameters | Shape | Intake | None = None  # the runtime checks the first two; an Intake is checked by run
    effect: Effect = "writes"
    summary: str = ""
    open: bool = False  # also takes inputs that `inputs` does not name
    waits: bool | None = None  # running may wait on the world: worth a thread; None: unless it is pure
    native: bool = False  # returns plain mappings without NaN, and keeps to the context's deadline by itself
    nests: bool = False  # runs workflows inside itself
    routes: bool = False  # a connection from a key that is absent in its output is not taken
    expressions: frozenset[str] = frozenset()  # inputs whose text is an expression, evaluated before run
    branches: frozenset[str] = frozenset()  # settings that name the steps to run when that key is in the output
    settings: frozenset[str] = frozenset()  # inputs that are read at build only, as the author wrote them
    origin: str = ""  # "module:qualname" of the declaration: registering the same origin again replaces it
    prepare: Callable[[Mapping[str, Any]], NodeType] | None = None
    """Given what the author wrote for a step, the type that this step really has (compiled code, an effect).

    Raises: NodeConfigurationError.
    """

    def __post_init__(self) -> None:
        if self.run is None and self.arun is None and self.prepare is None:
            raise NodeConfigurationError(f"node type {self.name!r} cannot run", hint="give it run or arun")

    @property
    def may_wait(self) -> bool:
        """Whether a step of this type deserves a thread of its own rather than the event loop's."""
        return self.effect != "pure" if self.waits is None else self.waits

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema object of the inputs; without properties when anything goes."""
        if self.inputs is None:
            return {"type": "object", "properties": {}}
        return self.inputs.schema()

    def required(self) -> frozenset[str]:
        """Return the inputs that a step of this type must have."""
        return frozenset(self.schema().get("required", ()))
