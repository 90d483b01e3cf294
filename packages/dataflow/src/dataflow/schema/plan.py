"""What a pass would do: the changes with their risks, the statements, and whether somebody must agree first.

Rule: a plan has a name, a digest of all that it would do. Who agrees to a plan agrees to that one alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import msgspec

from dataflow.schema import cascades, ddl, rebuild, risk
from dataflow.schema import changes as kinds
from dataflow.schema.after import after, after_all
from dataflow.schema.changes import Change, table_of
from dataflow.schema.measure import Facts
from dataflow.schema.state import Dialect, SchemaState


class Step(msgspec.Struct, frozen=True):
    """One change, its risk, and what it means for the records of other tables, in sentences."""

    change: Change
    risk: risk.Risk
    effects: tuple[str, ...] = ()


class Block(msgspec.Struct, frozen=True):
    """Statements that belong together, and the changes that they make."""

    changes: tuple[Change, ...]
    statements: tuple[str, ...]
    concurrent: bool = False  # outside the transaction, after it
    guards: tuple[str, ...] = ()  # questions whose answer must be 0: records that it would spoil


class Plan(msgspec.Struct, frozen=True, dict=True):
    """All that a pass would do, in its order."""

    steps: tuple[Step, ...] = ()
    blocks: tuple[Block, ...] = ()
    impossible: tuple[str, ...] = ()  # what no statement can do, in sentences
    notices: tuple[str, ...] = ()  # what stays as it is, and somebody may not expect

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes."""
        return tuple(step.change for step in self.steps)

    @cached_property
    def name(self) -> str:
        """A short digest of what it would do."""
        return hashlib.sha256(msgspec.json.encode([self.changes, self.impossible])).hexdigest()[:10]

    @property
    def consent(self) -> tuple[Step, ...]:
        """The steps that somebody must agree to."""
        return tuple(step for step in self.steps if step.risk.verdict == "consent")

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What cannot be done at all, in sentences."""
        stuck = (step for step in self.steps if step.risk.verdict == "impossible")
        return (*self.impossible, *(f"{described(step.change)}: {step.risk.reason}" for step in stuck))

    @property
    def automatic(self) -> bool:
        """Whether it may happen by itself."""
        return not self.consent and not self.obstacles

    @property
    def losses(self) -> tuple[str, ...]:
        """What would not come back, in sentences."""
        return tuple(f"{described(step.change)}: {step.risk.loses}" for step in self.steps if step.risk.loses)


def planned(have: SchemaState, changes: Sequence[Change], facts: Facts, dialect: Dialect) -> Plan:
    """Return the plan of *changes*, which lead away from *have*."""
    found = cascades.edges(after_all(have, changes), facts.pointing) if changes else []
    steps = tuple([Step(each, risk.assess(each, facts, dialect), cascades.effects(each, found)) for each in changes])
    if any(step.risk.verdict == "impossible" for step in steps):
        return Plan(steps)  # there is nothing to write
    return Plan(steps, tuple(_blocks(have, changes, facts, dialect)))


def _blocks(have: SchemaState, changes: Sequence[Change], facts: Facts, dialect: Dialect) -> Iterator[Block]:
    late = [change for change in changes if risk.concurrent(change, facts, dialect)]
    pending: list[Change] = []
    for change in changes:
        if change in late:
            continue
        if isinstance(change, kinds.CreateTable | kinds.DropTable | kinds.RenameTable | kinds.RenameColumn):
            yield from _run(have, pending, facts, dialect)
            yield Block((change,), tuple(ddl.statements(change, dialect)))
            have, pending = after(after_all(have, pending), change), []
        else:
            pending.append(change)
    yield from _run(have, pending, facts, dialect)
    for change in late:
        yield Block((change,), tuple(ddl.statements(change, dialect, concurrently=True)), concurrent=True)


def _run(have: SchemaState, changes: Iterable[Change], facts: Facts, dialect: Dialect) -> Iterator[Block]:
    """Yield the blocks of changes inside tables; SQLite makes a table anew once for all of its changes."""
    if dialect == "postgresql":
        yield from (Block((change,), tuple(ddl.statements(change, dialect))) for change in changes)
        return
    by_table: dict[str, list[Change]] = {}
    for change in changes:
        by_table.setdefault(table_of(change), []).append(change)
    for name, its in by_table.items():
        if any(ddl.rebuilds(change) or _part_of_table(change) for change in its):
            table = have.tables[name]
            texts = facts.hanging.get(name, ())
            made = tuple(rebuild.statements(table, its, texts, have.tables))
            guards = tuple(ddl.misfits(each) for each in its if isinstance(each, kinds.SetType))
            yield Block(tuple(its), made, guards=guards)
        else:
            yield from (Block((change,), tuple(ddl.statements(change, dialect))) for change in its)


def _part_of_table(change: Change) -> bool:
    """Whether the index is a UNIQUE constraint, which SQLite has in the text of the table."""
    return isinstance(change, kinds.CreateIndex | kinds.DropIndex) and change.index.constraint


def described(change: Change) -> str:
    """Return *change* in a few words."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(change).__name__).strip()
    subject = table_of(change)
    for attribute in ("column", "index", "key", "check", "new"):
        part = getattr(change, attribute, None)
        named = getattr(part, "name", part)
        if isinstance(named, str) and named:
            return f"{words} {subject}.{named}"
        if attribute == "key" and part is not None:
            return f"{words} {subject}.{'_'.join(part.columns)}"
    return f"{words} {subject}"
