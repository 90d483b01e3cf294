"""Which models have answers kept, for how long, and what a write makes old."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final

from dataflow.cache.copying import copier
from dataflow.cache.memory import Generation, MemoryCache
from dataflow.model.registry import Model
from dataflow.model.spec import ModelSpec

TTL: Final = 300.0  # seconds; the seeds' default


class ModelCache:
    """The kept answers of one model."""

    __slots__ = ("_cache", "_copy", "generation", "ttl")

    def __init__(self, spec: ModelSpec, cache: MemoryCache, ttl: float) -> None:
        """ttl: seconds."""
        self._cache, self.ttl = cache, ttl
        self.generation = Generation()
        self._copy = copier(spec)

    def read(self, operation: Hashable, load: Callable[[], Any]) -> Any:
        """Return the outcome of *operation*, which policy has rewritten: as it is kept, or of *load*."""
        key = (self, self.generation.number, operation)
        try:
            hash(operation)
        except TypeError:  # a filter by a list or an object
            return load()
        return self._cache.read(key, self.ttl, load, self._copy)

    async def aread(self, operation: Hashable, load: Callable[[], Any]) -> Any:
        """Like `read`; *load* is awaited."""
        key = (self, self.generation.number, operation)
        try:
            hash(operation)
        except TypeError:
            return await load()
        return await self._cache.aread(key, self.ttl, load, self._copy)


def arrange(models: Iterable[Model], cache: MemoryCache, *, every: bool, ttl: float) -> None:
    """Give each model its kept answers and what its writes make old; decided once for each set of models.

    every: whether models that do not say so are cached too.
    """
    known = {model.name: model for model in models}
    for model in known.values():
        said = model.spec.options.cache
        wanted = every if said is None else said is not False
        if wanted and model.cache is None:  # one that is there stays: writes under way make its answers old
            model.cache = ModelCache(model.spec, cache, ttl if said is None or said is True else float(said))
    for model in known.values():
        touched = [known[name].cache for name in {*_touched(model.name, known)}]
        model.bumps = tuple([each.generation.bump for each in touched if each is not None])


def _touched(name: str, models: dict[str, Model], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the model and those whose records a foreign key deletes or changes with its records."""
    yield name
    for other in models.values():
        if other.name in seen or other.name == name:
            continue
        for field in other.spec.fields:
            key = field.foreign_key
            if key is not None and str(key.target).partition(".")[0] == name and key.on_delete != "restrict":
                yield from _touched(other.name, models, seen | {name})
                break
