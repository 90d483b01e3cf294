"""What a request says, marked as data before a program's own endpoint sees it; and what the endpoint returns.

Every text of the arguments, at any depth of lists, objects, pydantic models and dataclasses, becomes a
`kailash.Literal`: a workflow that the endpoint builds takes it as it is, whatever it looks like. Members of
enumerations and objects of other classes stay themselves.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from kailash.shapes import encode_json
from kailash.workflow.references import Literal
from nexus.call import Outputs


def marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return *function* as FastAPI shall see it: the same signature, its arguments marked as data."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def endpoint(*arguments: Any, **named: Any) -> Any:
            returned = await function(*as_data(list(arguments)), **as_data(named))
            return _answered(await returned if inspect.isawaitable(returned) else returned)

    else:

        @functools.wraps(function)
        def endpoint(*arguments: Any, **named: Any) -> Any:
            return _answered(function(*as_data(list(arguments)), **as_data(named)))

    endpoint.__signature__ = _signature(function)  # type: ignore[attr-defined]  # inspect.signature reads it
    return endpoint


def as_data(value: Any) -> Any:
    """Return *value* with every text in it marked."""
    kind = type(value)
    if kind is str:
        return Literal(value)
    if kind is dict:
        return {as_data(key): as_data(item) for key, item in value.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(as_data(item) for item in value)
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: as_data(item) for name, item in value})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {each.name: as_data(getattr(value, each.name)) for each in dataclasses.fields(value) if each.init}
        return dataclasses.replace(value, **changes)
    return value


def _answered(returned: Any) -> Any:
    """Return what FastAPI is to answer: the outputs of a workflow are JSON as on every other path."""
    if isinstance(returned, Outputs):
        return Response(encode_json(dict(returned)), media_type="application/json")
    return returned


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature with its annotations resolved where they can be."""
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):  # names that exist for the type checker only; FastAPI says which
        return signature
    parameters = [
        each.replace(annotation=hints.get(name, each.annotation)) for name, each in signature.parameters.items()
    ]
    return signature.replace(parameters=parameters, return_annotation=hints.get("return", signature.return_annotation))
