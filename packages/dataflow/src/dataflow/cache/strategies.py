"""For how long answers are kept, and what else a write makes old: what a program says of it, read and checked.

``cache_strategies``: ``{"products": {"list": {"ttl": 600}, "get": 3600, "count": False}}``, by resource or model.
``invalidation_events``: ``{"order_create": ["products:*", "analytics:*"]}``, beside what a write makes old by itself.
A ``key_pattern`` and what stands after the colon say nothing: keys are made of what is asked, and all answers of a
model get old at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dataflow.model import naming
from dataflow.model.settings import CACHED
from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from kailash.errors import ConfigurationError, did_you_mean

ANALYTICS: Final = "analytics"  # the aggregates of all models
KINDS: Final[Mapping[str, type]] = dict(
    zip(CACHED, (ops.Read, ops.Read, ops.List, ops.Count, ops.Aggregate), strict=True)
)
EVENTS: Final[Mapping[str, tuple[type, ...]]] = {
    "create": (ops.Create, ops.Upsert, ops.BulkCreate, ops.BulkUpsert),
    "update": (ops.Update, ops.Upsert, ops.BulkUpdate, ops.BulkUpsert),
    "delete": (ops.Delete, ops.BulkDelete),
}


def times(spec: ModelSpec, strategies: Mapping[str, Any], ttl: float, *, every: bool) -> dict[type, float]:
    """Return ``{kind of operation: seconds}`` of a model; without the kinds whose answers are not kept.

    ttl: of what says nothing else. every: whether models that do not say so are cached too.

    Raises: ConfigurationError.
    """
    said = spec.options.cache
    given: Any = next((strategies[name] for name in names(spec) if name in strategies), None)
    if given is None and said is None and not every:
        return {}
    if said is False or given is False:
        return {}
    seconds = dict.fromkeys(KINDS.values(), ttl)
    for one in (said, given):
        if one is not None:
            _apply(seconds, one, f"the cache of {spec.name}")
    return {kind: each for kind, each in seconds.items() if each > 0}


def _apply(seconds: dict[type, float], said: Any, where: str) -> None:
    if not isinstance(said, Mapping):
        seconds.update(dict.fromkeys(seconds, _seconds(said, next(iter(seconds.values())), where)))
        return
    if "ttl" in said:
        seconds.update(dict.fromkeys(seconds, _seconds(said["ttl"], 0.0, where)))
    for name, value in said.items():
        if name in KINDS:
            seconds[KINDS[name]] = _seconds(value, seconds[KINDS[name]], f"{where}: {name}")
        elif name not in ("ttl", "key_pattern"):
            raise ConfigurationError(f"{where} has no {name!r}", hint=did_you_mean(str(name), (*KINDS, "ttl")))


def _seconds(value: Any, otherwise: float, where: str) -> float:
    if isinstance(value, Mapping):
        if unknown := next((each for each in value if each not in ("ttl", "key_pattern")), None):
            raise ConfigurationError(f"{where} has no {unknown!r}", hint=did_you_mean(str(unknown), ("ttl",)))
        value = value.get("ttl", True)
    if value is True:
        return otherwise
    if value is False:
        return 0.0
    if isinstance(value, int | float) and value > 0:
        return float(value)
    raise ConfigurationError(f"{where} is {value!r}", hint="give a number of seconds, True or False")


def names(spec: ModelSpec) -> tuple[str, ...]:
    """Return what a model is called in strategies and events: its resource, its name, or that in snake case."""
    return spec.resource, spec.name, naming.snake(spec.name)


def events(given: Mapping[str, Any], specs: Iterable[ModelSpec]) -> dict[tuple[str, type], frozenset[str]]:
    """Return ``{(model, kind of write): names of models whose answers get old too}``, `ANALYTICS` among them.

    Events of models that are not there yet are left for later. Raises: ConfigurationError.
    """
    known = {name: spec.name for spec in specs for name in names(spec)}
    found: dict[tuple[str, type], frozenset[str]] = {}
    for event, patterns in given.items():
        model, _, what = str(event).rpartition("_")
        if what not in EVENTS:
            hint = f'say "<model>_<event>", the event one of {", ".join(EVENTS)}'
            raise ConfigurationError(f"invalidation_events has no event {event!r}", hint=hint)
        old = frozenset(_named((patterns,) if isinstance(patterns, str) else patterns, known, event))
        if model in known:
            for kind in EVENTS[what]:
                key = (known[model], kind)
                found[key] = found.get(key, frozenset()) | old
    return found


def _named(patterns: Any, known: Mapping[str, str], event: str) -> Iterable[str]:
    if not isinstance(patterns, list | tuple | set | frozenset) or not all(isinstance(each, str) for each in patterns):
        raise ConfigurationError(f"invalidation_events[{event!r}] must be a list of patterns", hint='["products:*"]')
    for pattern in patterns:
        name = pattern.partition(":")[0]
        if name == ANALYTICS or name in known:
            yield known.get(name, name)


def unknown(strategies: Mapping[str, Any], given: Mapping[str, Any], specs: Iterable[ModelSpec]) -> list[str]:
    """Return the names in strategies and events that are those of no model, with what may have been meant."""
    known = {name for spec in specs for name in names(spec)}
    said = {str(name) for name in strategies} | {str(event).rpartition("_")[0] for event in given}
    for patterns in given.values():
        said |= {each.partition(":")[0] for each in ([patterns] if isinstance(patterns, str) else patterns)}
    return [f"{name!r} ({did_you_mean(name, known)})" for name in sorted(said - known - {ANALYTICS})]
