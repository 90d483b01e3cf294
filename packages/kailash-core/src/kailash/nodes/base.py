"""Writing nodes: a function or a class becomes a node type; its annotations are the schema.

Rule 1: a function or method is called with its parameters by name; one annotated `Context` or `Scope` is
        given the run's.
Rule 2: what it returns is a mapping. A function that says it returns something else (``-> float``) has one
        output, ``result``; one that returns nothing has none.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, overload

from kailash.context import Context
from kailash.errors import NodeConfigurationError, NodeExecutionError
from kailash.nodes.from_capability import camel
from kailash.nodes.nodetype import ARun, Effect, NodeType, Run, Values
from kailash.nodes.parameters import Parameters
from kailash.nodes.registry import NodeRegistry
from kailash.nodes.scope import Scope
from kailash.shapes import REQUIRED, Field

__all__ = [
    "AsyncNode", "Effect", "Node", "NodeParameter", "NodeRegistry", "NodeType", "Scope", "Values",
    "node", "register_node", "type_of",
]  # fmt: skip

D = TypeVar("D", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
MARK: Final = "__node_type__"
WRAPPED: Final = "result"  # the output of a function that returns no mapping


class NodeParameter:
    """One parameter of a node class: its type, whether it must be given, what it is otherwise."""

    def __init__(
        self,
        name: str,
        type: Any = Any,
        required: bool = True,  # noqa: FBT001, FBT002 - the order that existing nodes use
        default: Any = None,
        description: str = "",
    ) -> None:
        self.name = name
        self.type = type
        self.required = required and default is None
        self.default = default
        self.description = description

    def field(self) -> Field:
        """Return the parameter as the field of a shape."""
        annotation = self.type if self.required else typing.Optional[self.type]  # noqa: UP045 - a computed type
        return Field(self.name, annotation, REQUIRED if self.required else self.default, self.description)


class Node:
    """A node written as a class: ``get_parameters()`` (or the annotations of ``run``) and ``run(**inputs)``.

    One instance serves one step of a workflow, for all of its runs, perhaps several at once.
    """

    def __init__(self, name: str = "", **config: Any) -> None:
        self.name = name
        self.config = config  # inputs that the step has unless it is given others

    def get_parameters(self) -> dict[str, NodeParameter]:
        """Return {name: parameter}; without it the signature of ``run`` says what the node takes."""
        return {}

    def run(self, **inputs: Any) -> Any:
        """Do it and return {output: value}. Raises: NodeConfigurationError in a class without one of its own."""
        raise _no_node(type(self))


class AsyncNode(Node):
    """A node that runs under asyncio: ``async_run(**inputs)``."""

    async def async_run(self, **inputs: Any) -> Any:
        """Do it and return {output: value}. Raises: NodeConfigurationError in a class without one of its own."""
        raise _no_node(type(self))


@overload
def node(declared: D, /) -> D: ...
@overload
def node(
    *, name: str = "", effect: Effect = "writes", waits: bool | None = None, registry: NodeRegistry | None = None
) -> Callable[[D], D]: ...
def node(
    declared: Any = None,
    /,
    *,
    name: str = "",
    effect: Effect = "writes",
    waits: bool | None = None,
    registry: NodeRegistry | None = None,
) -> Any:
    """Make a function or a class a node type: ``calculate_discount`` becomes ``CalculateDiscountNode``.

    effect: "pure" when it touches nothing outside itself, "reads" when it changes nothing; what is not said
    to be either keeps its place in program order among all that touches data.
    waits: whether it may wait on the world and so deserves a thread; default: unless it is pure.
    """

    def declare(declared: Any) -> Any:
        made = _declared(declared, name, effect=effect, waits=waits)
        setattr(declared, MARK, made)
        (registry or NodeRegistry.default()).register(made)
        return declared

    return declare if declared is None else declare(declared)


def register_node(name: str = "", *, alias: str = "") -> Callable[[C], C]:
    """Make a class known under its name, or *name*, and *alias*."""

    def register(declared: C) -> C:
        made = _declared(declared, name, effect="writes", waits=None)
        setattr(declared, MARK, made)
        NodeRegistry.default().register(made, *filter(None, [alias]))
        return declared

    return register


def type_of(declared: Any) -> NodeType:
    """Return the node type of a node type, a function, a node class or an instance of one.

    Raises: NodeConfigurationError for anything else.
    """
    if isinstance(declared, NodeType):
        return declared
    own = vars(declared).get(MARK) if hasattr(declared, "__dict__") else None
    if isinstance(own, NodeType):
        return own
    if isinstance(declared, type) or inspect.isroutine(declared):
        return _declared(declared, "", effect="writes", waits=None)
    if any(hasattr(declared, face) for face in FACES):
        return _of_instance(declared, type(declared).__name__, effect="writes", waits=None)
    raise NodeConfigurationError(
        f"a {type(declared).__name__} is no node", hint="give a node type's name, a function, or a class with run"
    )


FACES: Final = ("run", "arun", "async_run")


def _declared(declared: Any, name: str, *, effect: Effect, waits: bool | None) -> NodeType:
    if isinstance(declared, type):
        return _of_class(declared, name or declared.__name__, effect=effect, waits=waits)
    return _of_function(declared, name or _function_name(declared), effect=effect, waits=waits)


def _function_name(function: Any) -> str:
    words = camel(function.__name__.strip("_").removesuffix("_node"))
    return words if words.endswith("Node") else f"{words}Node"


def _of_function(function: Any, name: str, *, effect: Effect, waits: bool | None) -> NodeType:
    call = _Call(function, name)
    return NodeType(
        name=name,
        run=call.run(),
        arun=call.arun(),
        inputs=Parameters(name, call.fields),
        open=call.open,
        effect=effect,
        waits=waits,
        summary=_summary(function),
        origin=_origin(function),
    )


def _of_class(declared: type, name: str, *, effect: Effect, waits: bool | None) -> NodeType:
    if not any(callable(getattr(declared, face, None)) for face in FACES):
        raise _no_node(declared)

    def prepare(config: Mapping[str, Any]) -> NodeType:
        accepted = _constructor_parameters(declared)
        given = {key: value for key, value in config.items() if key in accepted}
        try:
            instance = declared(**given)
        except TypeError as cause:
            raise NodeConfigurationError(
                f"{declared.__name__} cannot be made from its settings: {cause}", hint="see its __init__"
            ) from cause
        made = _of_instance(instance, name, effect=effect, waits=waits)
        return _with_settings(made, frozenset(given))

    return NodeType(
        name=name, prepare=prepare, effect=effect, waits=waits, summary=_summary(declared), origin=_origin(declared)
    )


def _with_settings(made: NodeType, taken: frozenset[str]) -> NodeType:
    fields = made.inputs.fields if isinstance(made.inputs, Parameters) else {}
    return NodeType(
        **{key: getattr(made, key) for key in NodeType.__struct_fields__ if key != "settings"},
        settings=taken - fields.keys(),
    )


def _constructor_parameters(declared: type) -> frozenset[str]:
    parameters = inspect.signature(declared).parameters.values()
    return frozenset(each.name for each in parameters if each.kind in BY_NAME) - {"name"}


def _of_instance(instance: Any, name: str, *, effect: Effect, waits: bool | None) -> NodeType:
    synchronous = _own_method(instance, "run")
    asynchronous = _own_method(instance, "arun") or _own_method(instance, "async_run")
    calls = [_Call(method, name) for method in (synchronous, asynchronous) if method is not None]
    if not calls:
        raise _no_node(type(instance))
    declared = instance.get_parameters() if hasattr(instance, "get_parameters") else {}
    fields = [parameter.field() for parameter in declared.values()] or calls[0].fields
    config = dict(getattr(instance, "config", None) or {})
    defaults = {field.name: field.default for field in fields if declared and field.default is not REQUIRED} | config
    fields = [Field(field.name, field.annotation, defaults.get(field.name, field.default)) for field in fields]
    runs = [each for call in calls if (each := call.run(defaults))]
    aruns = [each for call in calls if (each := call.arun(defaults))]
    return NodeType(
        name=name,
        run=runs[0] if runs else None,
        arun=aruns[0] if aruns else None,
        inputs=Parameters(name, fields),
        open=calls[0].open and not declared,
        effect=getattr(instance, "effect", effect),
        waits=getattr(instance, "waits", waits),
        summary=_summary(type(instance)),
        origin=_origin(type(instance)),
    )


def _own_method(instance: Any, name: str) -> Any:
    """The method, unless it is only the placeholder of `Node`."""
    method = getattr(instance, name, None)
    placeholders = (Node.run, AsyncNode.async_run)
    return method if callable(method) and getattr(method, "__func__", None) not in placeholders else None


def _no_node(declared: type) -> NodeConfigurationError:
    return NodeConfigurationError(f"class {declared.__name__!r} is no node", hint="give it a run method")


BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class _Call:
    """How a Python callable is called as a node, read from its signature once."""

    def __init__(self, function: Any, name: str) -> None:
        self.function = function
        self.name = name
        hints = _hints(function)
        parameters = inspect.signature(function).parameters.values()
        if any(each.kind is inspect.Parameter.POSITIONAL_ONLY for each in parameters):
            raise NodeConfigurationError(f"{name} has a positional-only parameter", hint="nodes are called by name")
        self.open = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
        named = [each for each in parameters if each.kind in BY_NAME]
        self.injected = {each.name: kind for each in named if (kind := hints.get(each.name)) in (Context, Scope)}
        self.fields = [_field(each, hints) for each in named if each.name not in self.injected]
        returned = hints.get("return", Any)
        self.wraps = not (returned is Any or _is_mapping(returned) or returned is type(None))

    def run(self, defaults: Values | None = None) -> Run | None:
        """The blocking face, or None for a coroutine function."""
        if inspect.iscoroutinefunction(self.function):
            return None
        function, finish = self.function, self.finish
        dressed = bool(defaults or self.injected)

        def run(values: Values, scope: Scope) -> Any:
            if dressed:
                values = self.arguments(values, scope, defaults)
            if scope.around:
                return finish(scope.inside(function, **values))
            return finish(function(**values))

        return run

    def arun(self, defaults: Values | None = None) -> ARun | None:
        """The asyncio face, or None for a plain function."""
        if not inspect.iscoroutinefunction(self.function):
            return None

        async def arun(values: Values, scope: Scope) -> Any:
            tokens = [(variable, variable.set(value)) for variable, value in scope.around.items()]
            try:
                return self.finish(await self.function(**self.arguments(values, scope, defaults)))
            finally:
                for variable, token in tokens:
                    variable.reset(token)

        return arun

    def arguments(self, values: Values, scope: Scope, defaults: Values | None) -> Values:
        """The keyword arguments of one call."""
        given = {**defaults, **values} if defaults else values
        if not self.injected:
            return given
        return given | {name: scope if kind is Scope else scope.context for name, kind in self.injected.items()}

    def finish(self, returned: Any) -> Any:
        """What the function returned, as {output: value}."""
        if returned.__class__ is dict:
            return returned
        if self.wraps and not isinstance(returned, Mapping):
            return {WRAPPED: returned}
        if returned is None:
            return {}
        if isinstance(returned, Mapping):
            return dict(returned)
        raise NodeExecutionError(
            f"{self.name} returned {type(returned).__name__}, not a dict",
            hint="return {'result': ...}, or annotate what the function returns",
        )


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):  # names that exist for the type checker only
        return {}


def _field(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Field:
    default = REQUIRED if parameter.default is inspect.Parameter.empty else parameter.default
    annotation = hints.get(parameter.name, Any)
    if default is None and annotation is not Any:
        annotation = typing.Optional[annotation]  # noqa: UP045 - a computed type
    return Field(parameter.name, annotation, default)


def _is_mapping(annotation: Any) -> bool:
    members = typing.get_args(annotation) if typing.get_origin(annotation) in UNIONS else (annotation,)
    origins = [typing.get_origin(member) or member for member in members]
    return any(isinstance(origin, type) and issubclass(origin, Mapping) for origin in origins)


UNIONS: Final = (typing.Union, type(int | None))


def _summary(declared: Any) -> str:
    text = inspect.getdoc(declared) or ""
    return text.split("\n", 1)[0].strip()


def _origin(declared: Any) -> str:
    return f"{declared.__module__}:{declared.__qualname__}"
