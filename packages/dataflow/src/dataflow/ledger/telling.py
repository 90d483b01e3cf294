"""A plan whose writes tell who made them.

PostgreSQL: each writing statement also sets `triggers.SETTING`, for its transaction, where its triggers ask for that:
who writes is of interest to an audit and a history alone. SQLite: each writing effect carries what the connection's
triggers ask for. Neither costs a round trip.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from dataflow.effects import DataPlan, Deeds, Effect, Load, Query, Repeat, Told, ask
from dataflow.ledger import everybody, triggers
from dataflow.ledger.keeping import Keeper
from dataflow.model import moments, naming
from dataflow.model.spec import TENANT, ModelSpec
from dataflow.operations import values as ops
from dataflow.operations.dialect import Dialect
from kailash._lazy import Late
from kailash.context import Context
from kailash.plan import through

if TYPE_CHECKING:
    from dataflow.ledger import statements
else:  # SQLAlchemy: 110 ms
    statements = Late("dataflow.ledger.statements")

T = TypeVar("T")

BIND: Final = "_told"  # bind name of what is told
_NAMES: Final[dict[type, str]] = {kind: naming.snake(kind.__name__) for kind in (
    ops.Create, ops.Update, ops.Delete, ops.Upsert, ops.BulkCreate, ops.BulkUpdate, ops.BulkDelete, ops.BulkUpsert
)}  # fmt: skip


class Ledger(msgspec.Struct, frozen=True):
    """How the changes of one model are written down, and who is told of their commit."""

    spec: ModelSpec
    audited: bool
    masked: frozenset[str]
    deeds: Callable[[], Deeds]  # what is to be done after the commit of a write that begins now


class Teller:
    """How the writes to one model are told; made once for each model whose changes or versions somebody asked for.

    One without ledger and keeper tells of nothing itself, but of what goes along with its records (`carry`).
    """

    def __init__(self, ledger: Ledger | None, keeper: Keeper | None) -> None:
        self.ledger, self.keeper = ledger, keeper
        on_connections: tuple[str, ...] = ()
        own: tuple[str, ...] = ()
        loads: tuple[str, ...] = ()
        if ledger is not None:
            spec, audited, masked = ledger.spec, ledger.audited, ledger.masked
            on_connections += triggers.on_connections(spec, audited=audited, masked=masked)
            own += (triggers.own(triggers.PREFIX, spec),)
            loads += (triggers.of_load(spec, audited=audited, masked=masked),)
        if keeper is not None:
            on_connections += keeper.on_connections
            own += (keeper.own,)
            loads += (keeper.load,)
        self._made, self.on_connections, self._loads = on_connections, on_connections, loads
        self._asked, self._own = own, own
        self._ledgers: tuple[Ledger, ...] = () if ledger is None else (ledger,)
        self._along: tuple[Teller, ...] = (self,)
        self.asks_who = keeper is not None or (ledger is not None and ledger.audited)
        self._of_tenants = ledger is None or TENANT in ledger.spec.by_name

    def carry(self, others: Sequence[Teller]) -> None:
        """Tell also of the records of *others*, which a foreign key deletes or changes with those of this model."""
        tellers = [self, *others]
        self.on_connections = tuple([statement for each in tellers for statement in each._made])
        self._own = tuple([name for each in tellers for name in each._asked])
        self._ledgers = tuple([each.ledger for each in tellers if each.ledger is not None])
        self._along = tuple(tellers)

    def deeds(self) -> Deeds:
        """Return what is to be done after the commit of a write that begins now."""
        if len(self._ledgers) == 1:
            return self._ledgers[0].deeds()
        return tuple(dict.fromkeys([deed for ledger in self._ledgers for deed in ledger.deeds()]))

    @property
    def table(self) -> str:
        """The table of the model; none where it tells of others alone."""
        of = self.ledger or self.keeper
        return "" if of is None else of.spec.table

    @property
    def told(self) -> bool:
        """Whether changes are written to the ledger."""
        return self.ledger is not None

    def tell(
        self,
        plan: DataPlan[T],
        operation: ops.Operation,
        context: Context,
        dialect: Dialect,
        now: dt.datetime,
        *,
        joins: bool,
    ) -> DataPlan[T]:
        """Return *plan* with its writes told. joins: whether it joins a transaction, where others have told."""
        if dialect == "postgresql" and not self._is_asked(whose=joins or context.tenant is not None):
            return plan
        at, request = moments.text(now), context.request_id or None
        does = "revert" if getattr(operation, "revert", None) is not None else _NAMES[type(operation)]
        if dialect == "postgresql":
            who = _items(context.tenant, context.principal, context.channel, request, does)
            return through(plan, partial(_on_postgresql, f'{{"{at}",{who}}}'))
        values = (at, context.tenant, context.principal, context.channel, request, does)
        return through(plan, partial(_on_sqlite, Told(self.on_connections, values, self._loads, self._own)))

    def _is_asked(self, *, whose: bool) -> bool:
        """Whether a trigger asks for anything: who writes; or for which tenant, where records have none."""
        for each in self._along:  # noqa: SIM110 - for each write, and a generator takes twice as long
            if each.asks_who or (whose and not each._of_tenants):
                return True
        return False

    def tell_of_all(
        self, plan: DataPlan[T], operation: ops.Operation, context: Context, now: dt.datetime
    ) -> DataPlan[T]:
        """Return *plan*, which concerns the records of every tenant, with that told where the model is audited."""
        if self.ledger is None or not self.ledger.audited:
            return plan
        return everybody.noted(plan, operation, context, now, self.ledger.deeds())


def _on_sqlite(told: Told, effect: Effect) -> DataPlan[Any]:
    """Ask for *effect*; one that writes says *told*."""
    if type(effect) is Query:  # the commonest by far
        effect = replace(effect, told=told) if effect.writes else effect
    elif type(effect) is Repeat or (type(effect) is Load and effect.temporary is None):
        effect = replace(effect, told=told)
    return (yield from ask(effect))


def _on_postgresql(told: str, effect: Effect) -> DataPlan[Any]:
    """Ask for *effect*; one that writes says *told*."""
    if type(effect) is Query and effect.writes:
        values = {BIND: told, **effect.values}
        effect = Query((BIND, effect.shape), partial(_telling, effect.build), values, True, effect.guarded)
    elif type(effect) is Load and effect.temporary is None:
        # COPY takes no expression: the setting goes before it; the plan has begun a transaction.
        yield from ask(Query((BIND, "load"), _setting, {BIND: told}, writes=True))
    return (yield from ask(effect))


def _telling(build: Callable[[], Any]) -> Any:
    return statements.telling(build())


def _setting() -> Any:
    return statements.setting()


@lru_cache(256)  # arbitrary: those who write at once
def _items(*values: str | None) -> str:
    """Return the items of an array of text: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO."""
    return ",".join(["NULL" if value is None else _item(value) for value in values])


def _item(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
