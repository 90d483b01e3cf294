"""Which models have answers kept, and what a write to each makes old: decided once for each set of models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias

from dataflow.cache import strategies
from dataflow.cache.base import Answers, Deed
from dataflow.model import relations
from dataflow.model.registry import Model
from dataflow.model.spec import ModelSpec

Make: TypeAlias = Callable[[ModelSpec, Mapping[type, float]], Answers]
MakeOld: TypeAlias = Callable[[], Deed]


class Touch:
    """What a write to one model makes old."""

    __slots__ = ("_alike", "_events", "_others")

    def __init__(
        self, alike: Iterable[Answers], others: Iterable[Answers], events: Mapping[type, tuple[MakeOld, ...]]
    ) -> None:
        """alike: answers that are told apart by the same tenants. events: what each kind of write makes old besides."""
        self._alike, self._others, self._events = tuple(alike), tuple(others), events

    def __bool__(self) -> bool:
        return bool(self._alike or self._others or self._events)

    def deeds(self, kind: type, tenant: str | None) -> tuple[Deed, ...]:
        """Return what is to be done once a write of that *kind* for *tenant* is committed."""
        found = [each.deed(tenant) for each in self._alike]
        if self._others:
            found += [each.deed(None) for each in self._others]
        if kind in self._events:
            found += [make() for make in self._events[kind]]
        return tuple(found)


def arrange(
    models: Iterable[Model],
    make: Make,
    times: Mapping[str, Mapping[type, float]],
    events: Mapping[tuple[str, type], frozenset[str]],
    analytics: MakeOld,
) -> None:
    """Give each model its kept answers and what its writes make old.

    times: of each model, for how long which answers are kept. analytics: what `strategies.ANALYTICS` stands for.
    """
    known = {model.name: model for model in models}
    for model in known.values():
        if times[model.name] and model.cache is None:  # one that is there stays: writes under way make its answers old
            model.cache = make(model.spec, times[model.name])
    along = relations.along([model.spec for model in known.values()])
    for model in known.values():
        touched = [model, *[known[name] for name in along[model.name]]]
        kept = [(each, each.cache) for each in touched if each.cache is not None]
        alike = [each is model or _alike(each, model) for each, _ in kept]
        extra: dict[type, tuple[MakeOld, ...]] = {}
        for (name, kind), old in events.items():
            if name == model.name:
                caches = [known[each].cache for each in sorted(old - {strategies.ANALYTICS})]
                also: list[MakeOld] = [partial(cache.deed, None) for cache in caches if cache is not None]
                extra[kind] = (*also, *([analytics] if strategies.ANALYTICS in old else []))
        model.touch = Touch(
            [cache for (_, cache), same in zip(kept, alike, strict=True) if same],
            [cache for (_, cache), same in zip(kept, alike, strict=True) if not same],
            extra,
        )


def _alike(one: Model, other: Model) -> bool:
    """Whether what a tenant's write to one changes in the other is the tenant's: foreign keys do not point across."""
    return one.spec.options.multi_tenant and other.spec.options.multi_tenant
