"""Kept answers that the processes of one database share, on a server.

Rule 1: a write gives each generation that it touches a new token, once it is committed. An answer is kept with a stamp,
        of the tokens from before it was read and of the server they were on; it is good while its stamp is.
Rule 2: a token that could not be given is owed. Until it is, this process neither looks nor keeps what it concerns.
Rule 3: with a key to encrypt, what the server holds is sealed, and its names tell nothing.
Rule 4: what goes wrong with a server makes a read slower and fails none.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import urandom
from typing import Any, Final, Protocol

import msgspec

from dataflow.cache.base import Deed, Load, LoadAsync
from dataflow.cache.effects import AwayError, Commands, ServerPlan, commands
from dataflow.cache.flights import MISSING, Flights
from dataflow.cache.naming import spelled
from dataflow.cache.packing import Packer, UnpackedError
from dataflow.effects import Errand
from dataflow.model.spec import ModelSpec
from dataflow.operations import values as ops
from kailash.plan import adrive, drive

EDITION: Final = "dataflow:1"  # of what is kept; another one is never looked at
LIFE: Final = 7 * 24 * 3600  # seconds that a token is kept after a write; without it all answers are old, no more
STAMP: Final = 16  # bytes
AGAIN: Final = 1.0  # seconds between two tries to give tokens that are owed; arbitrary

log = logging.getLogger("dataflow.cache")


class Server(Protocol):
    """Where answers are kept: `dataflow.cache.redis.Server`."""

    @property
    def epoch(self) -> bytes:
        """Who the server is."""

    @property
    def away(self) -> bool:
        """Whether it did not answer a moment ago."""

    def ask(self, effect: Commands) -> list[Any]:
        """Reply to *effect*, blocking. Raises: AwayError."""

    async def aask(self, effect: Commands) -> list[Any]:
        """Like `ask`, under asyncio."""

    def close(self) -> None:
        """Close the connections."""

    async def aclose(self) -> None:
        """Close the connections of this event loop too."""


class Seal(Protocol):
    """What makes answers unreadable to others."""

    def name(self, spelling: bytes) -> bytes:
        """Return a digest of *spelling* that tells nothing of it."""

    def seal(self, answer: bytes, name: bytes) -> bytes:
        """Return *answer*, unreadable."""

    def open(self, sealed: bytes, name: bytes) -> bytes | None:
        """Return the answer; None where it does not open."""


class Plain:
    """No seal: the database itself is not encrypted."""

    def name(self, spelling: bytes) -> bytes:
        return hashlib.blake2b(spelling, digest_size=20).hexdigest().encode()

    def seal(self, answer: bytes, name: bytes) -> bytes:
        return answer

    def open(self, sealed: bytes, name: bytes) -> bytes | None:
        return sealed


class SharedCache:
    """The answers of one database on one server."""

    def __init__(self, server: Server, place: str, seal: Seal) -> None:
        """place: what the database is called, by all processes that reach it and by no other's."""
        self.server, self.seal = server, seal
        self.prefix = f"{EDITION}:{place}:".encode()
        self.flights = Flights()
        self.hits = self.misses = 0
        self._owed: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self._known: set[bytes] = set()
        self._paying: threading.Thread | None = None
        self._ended = threading.Event()

    def __len__(self) -> int:
        return 0  # nobody counts what a server holds for many

    def token(self, name: str) -> bytes:
        """Return the name of a token."""
        return self.prefix + b"token:" + name.encode("utf-8", "surrogatepass")

    def know(self, *names: bytes) -> None:
        """Note the tokens of all that this process may look at."""
        self._known.update(names)

    def owes(self, names: Iterable[bytes]) -> bool:
        """Whether any of these tokens is still to be given."""
        return bool(self._owed) and any(name in self._owed for name in names)

    def owe(self, names: Sequence[bytes]) -> None:
        """Note that these tokens are to be given."""
        with self._lock:
            self._owed.update(names)

    def given(self, names: Sequence[bytes]) -> None:
        """Note that these tokens were given."""
        with self._lock:
            self._owed.subtract(names)
            self._owed = +self._owed

    def later(self) -> None:
        """Give what is owed as soon as the server answers; a thread of its own tries."""
        with self._lock:
            if self._paying is None and not self._ended.is_set():
                self._paying = threading.Thread(target=self._pay, name="dataflow-cache", daemon=True)
                self._paying.start()

    def clear(self) -> None:
        """Make all answers old that this process may look at."""
        Renewal(self, sorted(self._known))()

    def close(self) -> None:
        """Give what is owed, if the server answers, and close the connections."""
        self._end()
        self.server.close()

    async def aclose(self) -> None:
        """Like `close`, and close the connections of this event loop."""
        self._end()
        await self.server.aclose()

    def reopen(self) -> None:
        """Go on after a `close`."""
        self._ended.clear()

    def _end(self) -> None:
        self._ended.set()
        thread = self._paying
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _pay(self) -> None:
        while True:
            ended = self._ended.wait(AGAIN)
            with self._lock:
                owed = [*self._owed.elements()]
            try:
                drive(renewed(sorted(set(owed))), self.server.ask)
                self.given(owed)
            except AwayError:
                pass
            with self._lock:
                if ended or not self._owed:
                    self._paying = None
                    return


class Renewal(Errand):
    """Gives tokens anew."""

    __slots__ = ("_cache", "_names")

    def __init__(self, cache: SharedCache, names: Sequence[bytes]) -> None:
        self._cache, self._names = cache, names

    def begin(self) -> None:
        self._cache.owe(self._names)

    def __call__(self) -> None:
        self.begin()
        try:
            drive(renewed(self._names), self._cache.server.ask)
        except AwayError:
            self._cache.later()
        else:
            self._cache.given(self._names)

    async def go(self) -> None:
        try:
            await adrive(renewed(self._names), self._cache.server.aask)
        except AwayError:
            self._cache.later()
        else:
            self._cache.given(self._names)

    def leave(self) -> None:
        self._cache.later()


class SharedAnswers:
    """The answers of one model on a server: `dataflow.cache.base.Answers`."""

    def __init__(
        self, cache: SharedCache, spec: ModelSpec, times: Mapping[type, float], analytics: bytes | None = None
    ) -> None:
        """times: for how many seconds which are kept. analytics: the token of all aggregates, where events name it."""
        self._cache, self._times, self._analytics = cache, times, analytics
        self._packer = Packer(spec)
        self._shape = shape(spec)
        self._tenants = spec.options.multi_tenant
        self._any, self._every = cache.token(spec.table), cache.token(f"{spec.table}:every")
        self._tenant = f"{spec.table}:of:"
        cache.know(self._any, self._every)

    def read(self, operation: Any, tenant: str | None, load: Load) -> Any:
        ttl = self._times.get(type(operation))
        question = self._question(operation, tenant) if ttl is not None else None
        if ttl is None or question is None:
            return load()
        try:
            stamp, kept = drive(looked(question, self._cache.server), self._cache.server.ask)
        except AwayError:
            return load()
        if (found := self._opened(operation, question, kept)) is not MISSING:
            return found

        def loaded() -> tuple[Any, Any]:
            outcome = load()
            packed = self._packed(operation, outcome)
            if packed is not MISSING:
                try:
                    drive(stored(question, stamp, self._sealed(question, packed), ttl), self._cache.server.ask)
                except AwayError:
                    log.debug("an answer could not be kept")
            return outcome, packed

        return self._cache.flights.ask((question.name, stamp), loaded, _second, self._reader(operation))[0]

    async def aread(self, operation: Any, tenant: str | None, load: LoadAsync) -> Any:
        ttl = self._times.get(type(operation))
        question = self._question(operation, tenant) if ttl is not None else None
        if ttl is None or question is None:
            return await load()
        server = self._cache.server
        try:
            stamp, kept = await adrive(looked(question, server), server.aask)
        except AwayError:
            return await load()
        if (found := self._opened(operation, question, kept)) is not MISSING:
            return found

        async def loaded() -> tuple[Any, Any]:
            outcome = await load()
            packed = self._packed(operation, outcome)
            if packed is not MISSING:
                try:
                    await adrive(stored(question, stamp, self._sealed(question, packed), ttl), server.aask)
                except AwayError:
                    log.debug("an answer could not be kept")
            return outcome, packed

        return (await self._cache.flights.aask((question.name, stamp), loaded, _second, self._reader(operation)))[0]

    def deed(self, tenant: str | None) -> Deed:
        if tenant is None:
            return Renewal(self._cache, (self._any, self._every) if self._tenants else (self._any,))
        return Renewal(self._cache, (self._any, self._cache.token(self._tenant + tenant)))

    def _question(self, operation: Any, tenant: str | None) -> Question | None:
        """Return what is looked for; None where nothing is."""
        if tenant is None:
            tokens: tuple[bytes, ...] = (self._any,)
        else:
            tokens = (self._every, self._cache.token(self._tenant + tenant))
        if self._analytics is not None and type(operation) is ops.Aggregate:
            tokens = (*tokens, self._analytics)
        if self._cache.server.away or self._cache.owes(tokens):
            return None
        spelling = spelled(operation)
        if spelling is None:
            return None
        return Question(tokens, self._cache.prefix + self._cache.seal.name(self._shape + spelling))

    def _opened(self, operation: Any, question: Question, kept: bytes | None) -> Any:
        opened = None if kept is None else self._cache.seal.open(kept, question.name)
        if opened is not None:
            try:
                found = self._packer.unpack(operation, opened)
            except UnpackedError:
                log.warning("an answer that is kept cannot be read; the database is asked")
            else:
                self._cache.hits += 1
                return found
        self._cache.misses += 1
        return MISSING

    def _packed(self, operation: Any, outcome: Any) -> Any:
        packed = self._packer.pack(operation, outcome)
        return MISSING if packed is None else packed

    def _sealed(self, question: Question, packed: bytes) -> bytes:
        return self._cache.seal.seal(packed, question.name)

    def _reader(self, operation: Any) -> Callable[[Any], tuple[Any, None]]:
        return lambda packed: (self._packer.unpack(operation, packed), None)


class Question(msgspec.Struct, frozen=True):
    """The tokens that an answer hangs on, and its name."""

    tokens: tuple[bytes, ...]
    name: bytes


def looked(question: Question, server: Server) -> ServerPlan[tuple[bytes, bytes | None]]:
    """Return the stamp that an answer must have, and the answer that is kept with it. Raises: AwayError."""
    names = question.tokens
    *tokens, kept = (yield from commands(("MGET", *names, question.name)))[0]
    if None in tokens:
        kept = None
        missing = [name for name, token in zip(names, tokens, strict=True) if token is None]
        made = [("SET", name, urandom(STAMP), "NX", "EX", LIFE) for name in missing]
        tokens = (yield from commands(*made, ("MGET", *names)))[-1]
        if None in tokens:  # the server throws away what it is given
            raise AwayError
    stamp = hashlib.blake2b(b"\0".join([server.epoch, *tokens]), digest_size=STAMP).digest()
    return stamp, kept[STAMP:] if kept is not None and kept[:STAMP] == stamp else None


def stored(question: Question, stamp: bytes, answer: bytes, ttl: float) -> ServerPlan[None]:
    """Keep *answer*, with its stamp, for *ttl* seconds. Raises: AwayError."""
    yield from commands(("SET", question.name, stamp + answer, "PX", max(1, round(ttl * 1000))))


def renewed(names: Sequence[bytes]) -> ServerPlan[None]:
    """Give each of *names* a new token. Raises: AwayError."""
    if names:
        yield from commands(*[("SET", name, urandom(STAMP), "EX", LIFE) for name in names])


def shape(spec: ModelSpec) -> bytes:
    """Return a digest of what the records of *spec* look like: programs of another shape keep answers of their own."""
    fields = [
        (field.name, field.stored_as, repr(field.annotation), field.column_type, repr(field.encrypted))
        for field in spec.fields
    ]
    options = [getattr(spec.options, name) for name in ("multi_tenant", "soft_delete", "versioned")]
    text = repr((spec.name, spec.table, fields, options))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()


def _second(pair: tuple[Any, Any]) -> Any:
    return pair[1]
