"""Three tenants, every operation, in random order: what a database answers is what a list of rows in Python does.

The machine asks by the capabilities, as every channel and node does. The tenant comes in one way or another, and an
id may be anybody's. Every example has tenants of its own, so that the rows of all former ones are in its way.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dataflow import DataFlow
from dataflow.errors import DuplicateError, RecordNotFoundError, TenantRequiredError, VersionConflictError
from kailash.context import Context
from suites.faces import Face

Row = dict[str, Any]
_numbers = itertools.count()

WHO: Final = st.integers(0, 2)
SKU: Final = st.sampled_from("abcd")
NAME: Final = st.sampled_from(("x", "y'", "ü"))
STOCK: Final = st.integers(-2, 3)
PICK: Final = st.integers(0, 30)  # one of the ids that were ever given
VALUES: Final = st.fixed_dictionaries({"sku": SKU, "name": NAME, "stock": STOCK})
PAST: Final = ("id", "sku", "name", "stock", "tenant_id", "version", "marked")
SEEN: Final = ("id", "sku", "name", "stock", "tenant_id")


def items(url: str, *, blocking: bool, soft: bool, versioned: bool, **options: Any) -> Face:
    """Return a database of items, whose skus are unique."""
    db = DataFlow(url, multi_tenant=True, **options)

    @db.model
    class Item:
        sku: str
        name: str
        stock: int = 0

        __dataflow__ = {"soft_delete": soft, "versioned": versioned}
        __indexes__ = [{"fields": ["sku"], "unique": True}, {"fields": ["name", "stock"]}]

    return Face(db, blocking=blocking)


class Tenants(RuleBasedStateMachine):
    """The machine; `machine` makes one for a database."""

    face: Face
    soft = False
    versioned = False

    def __init__(self) -> None:
        super().__init__()
        number = next(_numbers)
        self.names = [f"{name}-{number}" for name in ("acme", "o'hara\"; --", "日本")]
        self.rows: list[Row] = []  # marked ones too
        self.ids: list[int] = []  # ever given
        self.way = 0

    # -- how it asks and what it remembers

    def ask(self, who: int | None, what: str, **given: Any) -> Any:
        """Ask for *what*, for a tenant: by an explicit context among others' things, or by the code around."""
        self.way += 1
        tenant = None if who is None else self.names[who]
        if tenant is None or self.way % 2:
            return self.face.within(Context(tenant=tenant), f"items.{what}", given)
        return self.face.within(Context(), f"items.{what}", given, around=self.face.db.tenant(tenant))

    def live(self, who: int, **having: Any) -> list[Row]:
        """The rows that this tenant can see, by id."""
        mine = [row for row in self.rows if row["tenant_id"] == self.names[who] and not row["marked"]]
        return sorted((r for r in mine if all(r[k] == v for k, v in having.items())), key=lambda row: row["id"])

    def own(self, who: int, id: int) -> Row | None:
        """The live row of that id, if it is the tenant's."""
        return next(iter(self.live(who, id=id)), None)

    def id(self, pick: int) -> int:
        """An id that somebody was given once, or nobody yet."""
        return self.ids[pick % len(self.ids)] if self.ids else 2**40

    def taken(self, id: int) -> bool:
        """Whether any row has that id."""
        return any(row["id"] == id for row in self.rows)

    def store(self, who: int, id: int, values: Mapping[str, Any]) -> Row:
        """Remember a new row."""
        row = {"stock": 0, **values, "id": id, "tenant_id": self.names[who], "version": 1, "marked": False}
        row["past"] = [{name: row[name] for name in PAST}]
        self.rows.append(row)
        self.ids.append(id)
        return row

    def change(self, row: Row, values: Mapping[str, Any]) -> None:
        """Remember a change, and what was before it."""
        row.update(values)
        row["version"] += 1
        row["past"].append({name: row[name] for name in PAST})

    def remove(self, rows: Iterable[Row]) -> None:
        """Remember a deletion."""
        for row in list(rows):
            if self.soft:
                self.change(row, {"marked": True})
            else:
                self.rows.remove(row)

    def same(self, row: Row, record: Mapping[str, Any]) -> bool:
        """Whether *record* is *row*."""
        names = (*SEEN, "version") if self.versioned else SEEN
        return all(record[name] == row[name] for name in names)

    def refresh(self, who: int, skus: Iterable[str]) -> dict[str, int]:
        """The ids of rows that a bulk made."""
        found = self.ask(who, "list", filter={"sku": {"$in": list(skus)}}, limit=None)["records"]
        return {record["sku"]: record["id"] for record in found}

    @invariant()
    def every_tenant_sees_its_own_rows(self) -> None:
        for who in range(3):
            records = self.ask(who, "list", limit=None)["records"]
            expected = self.live(who)
            assert len(expected) == len(records)
            assert all(map(self.same, expected, records))

    # -- one record

    @rule(who=WHO, values=VALUES)
    def create(self, who: int, values: Row) -> None:
        if self.live(who, sku=values["sku"]):
            with pytest.raises(DuplicateError):
                self.ask(who, "create", **values)
            return
        record = self.ask(who, "create", **values)
        assert self.same(self.store(who, record["id"], values), record)

    @rule(who=WHO, values=VALUES, pick=PICK)
    def create_with_an_id(self, who: int, values: Row, pick: int) -> None:
        id = self.id(pick)
        if self.taken(id) or self.live(who, sku=values["sku"]):
            with pytest.raises(DuplicateError):
                self.ask(who, "create", id=id, **values)
        elif id in self.ids:
            self.ask(who, "create", id=id, **values)
            self.store(who, id, values)

    @rule(who=WHO, pick=PICK, shown=st.booleans())
    def read(self, who: int, pick: int, shown: bool) -> None:
        id = self.id(pick)
        shown = shown and self.soft
        also = {"include_deleted": True} if shown else {}
        record = self.ask(who, "read", id=id, raise_on_not_found=False, **also)
        mine = [row for row in self.rows if row["id"] == id and row["tenant_id"] == self.names[who]]
        expected = next((row for row in mine if shown or not row["marked"]), None)
        assert record["found"] is (expected is not None)
        assert expected is None or self.same(expected, record)

    @rule(who=WHO, sku=SKU)
    def find(self, who: int, sku: str) -> None:
        record = self.ask(who, "read", filter={"sku": sku}, raise_on_not_found=False)
        assert record["found"] is bool(self.live(who, sku=sku))

    @rule(who=WHO, pick=PICK, sku=SKU, more=STOCK)
    def update(self, who: int, pick: int, sku: str, more: int) -> None:
        row = self.own(who, self.id(pick))
        expected: type[Exception] | None = None
        if row is None:
            expected = RecordNotFoundError
        elif any(other is not row for other in self.live(who, sku=sku)):
            expected = DuplicateError
        if expected is not None:
            with pytest.raises(expected):
                self.ask(who, "update", id=self.id(pick), sku=sku, stock={"$inc": more})
            return
        assert row is not None
        record = self.ask(who, "update", id=row["id"], sku=sku, stock={"$inc": more})
        self.change(row, {"sku": sku, "stock": row["stock"] + more})
        assert self.same(row, record)

    @precondition(lambda self: self.versioned)
    @rule(who=WHO, pick=PICK, behind=st.integers(0, 1), name=NAME, deleting=st.booleans())
    def change_what_was_read(self, who: int, pick: int, behind: int, name: str, deleting: bool) -> None:
        id = self.id(pick)
        row = self.own(who, id)
        version = max(1, (row["version"] if row else 1) - behind)
        what, given = ("delete", {}) if deleting else ("update", {"name": name})
        if row is None or version != row["version"]:
            with pytest.raises(RecordNotFoundError if row is None else VersionConflictError):
                self.ask(who, what, id=id, expected_version=version, **given)
            return
        self.ask(who, what, id=id, expected_version=version, **given)
        self.remove([row]) if deleting else self.change(row, given)

    @rule(who=WHO, name=NAME, stock=STOCK)
    def update_what_a_filter_finds(self, who: int, name: str, stock: int) -> None:
        found = self.live(who, name=name)
        if not found:
            with pytest.raises(RecordNotFoundError):
                self.ask(who, "update", filter={"name": name}, fields={"stock": stock})
            return
        changed = self.ask(who, "update", filter={"name": name}, fields={"stock": stock})
        assert changed["rows_affected"] == len(found)
        for row in found:
            self.change(row, {"stock": stock})

    @rule(who=WHO, pick=PICK)
    def delete(self, who: int, pick: int) -> None:
        row = self.own(who, self.id(pick))
        deleted = self.ask(who, "delete", id=self.id(pick), raise_on_not_found=False)
        assert deleted["deleted"] is (row is not None)
        self.remove([row] if row else [])

    @rule(who=WHO, values=VALUES)
    def upsert(self, who: int, values: Row) -> None:
        known = self.live(who, sku=values["sku"])
        stored = self.ask(who, "upsert", **values, conflict_on=["sku"])
        assert stored["created"] is (not known)
        if known:
            self.change(known[0], values)
        row = known[0] if known else self.store(who, stored["record"]["id"], values)
        assert self.same(row, stored["record"])

    @rule(who=WHO, pick=PICK, values=VALUES)
    def upsert_by_id(self, who: int, pick: int, values: Row) -> None:
        id = self.id(pick)
        if id not in self.ids:
            return
        row = self.own(who, id)
        others = [other for other in self.live(who, sku=values["sku"]) if other is not row]
        if others or (row is None and self.taken(id)):
            with pytest.raises(DuplicateError):
                self.ask(who, "upsert", id=id, **values, conflict_on=["id"])
            return
        stored = self.ask(who, "upsert", id=id, **values, conflict_on=["id"])
        assert stored["created"] is (row is None)
        self.change(row, values) if row else self.store(who, id, values)

    # -- many records

    @rule(who=WHO, rows=st.lists(VALUES, max_size=3), skip=st.booleans(), returning=st.booleans())
    def bulk_create(self, who: int, rows: list[Row], skip: bool, returning: bool) -> None:
        known = {row["sku"] for row in self.live(who)}
        fresh: dict[str, Row] = {}
        for row in rows:
            if row["sku"] not in known:
                fresh.setdefault(row["sku"], row)
        given = {"data": rows, "on_conflict": "skip" if skip else "error", "returning": returning}
        if len(fresh) < len(rows) and not skip:
            with pytest.raises(DuplicateError):
                self.ask(who, "bulk_create", **given)
            return
        made = self.ask(who, "bulk_create", **given)
        assert (made["inserted"], made["skipped"]) == (len(fresh), len(rows) - len(fresh))
        ids = self.refresh(who, fresh)
        for sku, row in fresh.items():
            self.store(who, ids[sku], row)

    @rule(who=WHO, name=NAME, more=STOCK)
    def bulk_update(self, who: int, name: str, more: int) -> None:
        found = self.live(who, name=name)
        changed = self.ask(who, "bulk_update", filter={"name": name}, update={"stock": {"$inc": more}})
        assert changed["updated"] == len(found)
        for row in found:
            self.change(row, {"stock": row["stock"] + more})

    @rule(who=WHO, picks=st.sets(PICK, max_size=4), stock=STOCK)
    def bulk_update_by_id(self, who: int, picks: set[int], stock: int) -> None:
        ids = sorted({self.id(pick) for pick in picks})
        mine = [row for row in (self.own(who, id) for id in ids) if row]
        changed = self.ask(who, "bulk_update", data=[{"id": id, "stock": stock} for id in ids])
        assert changed["updated"] == len(mine)
        for row in mine:
            self.change(row, {"stock": stock})

    @rule(who=WHO, picks=st.sets(PICK, max_size=4))
    def bulk_delete(self, who: int, picks: set[int]) -> None:
        ids = sorted({self.id(pick) for pick in picks})
        mine = [row for row in (self.own(who, id) for id in ids) if row]
        assert self.ask(who, "bulk_delete", ids=ids)["deleted"] == len(mine)
        self.remove(mine)

    @rule(who=WHO, name=NAME)
    def bulk_delete_what_a_filter_finds(self, who: int, name: str) -> None:
        found = self.live(who, name=name)
        assert self.ask(who, "bulk_delete", filter={"name": name})["deleted"] == len(found)
        self.remove(found)

    @rule(who=WHO, rows=st.lists(VALUES, max_size=3, unique_by=lambda row: row["sku"]), skip=st.booleans())
    def bulk_upsert(self, who: int, rows: list[Row], skip: bool) -> None:
        known = {row["sku"]: row for row in self.live(who)}
        met = [row for row in rows if row["sku"] in known]
        resolution = "skip" if skip else "update"
        done = self.ask(who, "bulk_upsert", data=rows, conflict_on=["sku"], conflict_resolution=resolution)
        assert done["inserted"] == len(rows) - len(met)
        assert done["skipped" if skip else "updated"] == len(met)
        ids = self.refresh(who, [row["sku"] for row in rows])
        for row in rows:
            if row["sku"] not in known:
                self.store(who, ids[row["sku"]], row)
            elif not skip:
                self.change(known[row["sku"]], row)

    @rule(who=WHO, picks=st.sets(PICK, min_size=1, max_size=3), name=NAME)
    def bulk_upsert_by_id(self, who: int, picks: set[int], name: str) -> None:
        ids = sorted({self.id(pick) for pick in picks} & set(self.ids))
        rows: list[Row] = [{"id": id, "sku": f"of {id}", "name": name} for id in ids]
        stolen = any(self.taken(id) and self.own(who, id) is None for id in ids)
        if stolen:
            with pytest.raises(DuplicateError):
                self.ask(who, "bulk_upsert", data=rows, conflict_on=["id"])
            return
        self.ask(who, "bulk_upsert", data=rows, conflict_on=["id"])
        for row in rows:
            known = self.own(who, row["id"])
            self.change(known, row) if known else self.store(who, row["id"], row)

    # -- what reads

    @rule(who=WHO, name=NAME, size=st.integers(1, 3))
    def walk_the_pages(self, who: int, name: str, size: int) -> None:
        seen: list[int] = []
        cursor = None
        while True:
            page = self.ask(
                who, "list", filter={"name__ne": name}, sort="-stock", limit=size, cursor=cursor, count=True
            )
            seen += [record["id"] for record in page["records"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        found = [row for row in self.live(who) if row["name"] != name]
        assert seen == [row["id"] for row in sorted(found, key=lambda row: -row["stock"])]
        assert page["total"] == len(found)

    @rule(who=WHO, other=WHO)
    def follow_the_cursor_of_another(self, who: int, other: int) -> None:
        cursor = self.ask(other, "list", limit=1)["next_cursor"]
        if cursor is not None:
            ids = [record["id"] for record in self.ask(who, "list", limit=None, cursor=cursor)["records"]]
            first = self.live(other)[0]["id"]
            assert ids == [row["id"] for row in self.live(who) if row["id"] > first]

    @rule(who=WHO, name=NAME)
    def count(self, who: int, name: str) -> None:
        assert self.ask(who, "count", filter={"$not": {"name": name}}) == {
            "count": sum(row["name"] != name for row in self.live(who))
        }

    @rule(who=WHO, other=WHO)
    def ask_for_another(self, who: int, other: int) -> None:
        found = self.ask(who, "count", filter={"tenant_id": self.names[other]})["count"]
        assert found == (len(self.live(who)) if who == other else 0)

    @rule(who=WHO)
    def aggregate(self, who: int) -> None:
        groups = self.ask(who, "aggregate", group_by=["name"], sum=["stock"], count=True)["groups"]
        names = {row["name"] for row in self.live(who)}
        assert {each["name"]: (each["sum_stock"], each["count"]) for each in groups} == {
            name: (sum(r["stock"] for r in self.live(who, name=name)), len(self.live(who, name=name))) for name in names
        }

    # -- deleted records

    @precondition(lambda self: self.soft)
    @rule(who=WHO, pick=PICK)
    def restore(self, who: int, pick: int) -> None:
        row = self.marked(who, self.id(pick))
        if row is None or self.live(who, sku=row["sku"]):
            with pytest.raises(RecordNotFoundError if row is None else DuplicateError):
                self.ask(who, "restore", id=self.id(pick))
            return
        record = self.ask(who, "restore", id=row["id"])
        self.change(row, {"marked": False})
        assert self.same(row, record) and record["deleted_at"] is None

    @precondition(lambda self: self.soft)
    @rule(who=WHO, pick=PICK)
    def purge(self, who: int, pick: int) -> None:
        row = self.marked(who, self.id(pick))
        purged = self.ask(who, "purge", id=self.id(pick), raise_on_not_found=False)
        assert purged["deleted"] is (row is not None)
        if row is not None:
            self.rows.remove(row)

    @precondition(lambda self: self.soft)
    @rule(who=WHO)
    def see_the_deleted(self, who: int) -> None:
        mine = [row for row in self.rows if row["tenant_id"] == self.names[who]]
        listed = self.ask(who, "list", include_deleted=True, limit=None)["records"]
        assert {record["id"]: record["deleted_at"] is not None for record in listed} == {
            row["id"]: row["marked"] for row in mine
        }
        assert self.ask(who, "count", include_deleted=True)["count"] == len(mine)
        total = self.ask(who, "aggregate", count=True, include_deleted=True)["groups"][0]["count"]
        assert total == len(mine)

    def marked(self, who: int, id: int) -> Row | None:
        """The row of that id, if it is the tenant's and marked as deleted."""
        mine = (row for row in self.rows if row["tenant_id"] == self.names[who] and row["marked"])
        return next((row for row in mine if row["id"] == id), None)

    # -- the past

    @precondition(lambda self: self.versioned)
    @rule(who=WHO, pick=PICK, deleted=st.booleans())
    def look_back(self, who: int, pick: int, deleted: bool) -> None:
        id = self.id(pick)
        row = self.own(who, id) or (self.marked(who, id) if deleted else None)
        if row is None:
            with pytest.raises(RecordNotFoundError):
                self.ask(who, "history", id=id, include_deleted=deleted)
            return
        versions = self.ask(who, "history", id=id, include_deleted=deleted, limit=1000)["versions"]
        assert [each["version"] for each in versions] == [*range(row["version"], 0, -1)]
        for version, then in zip(reversed(versions), row["past"], strict=True):
            assert self.same(then, version["record"])
            assert (version["record"]["deleted_at"] is not None) is then["marked"]

    @precondition(lambda self: self.versioned)
    @rule(who=WHO, pick=PICK, back=st.integers(0, 4))
    def put_back(self, who: int, pick: int, back: int) -> None:
        id = self.id(pick)
        row = self.own(who, id)
        version = max(1, (row["version"] if row else 5) - back)
        if row is None or row["past"][version - 1]["marked"]:
            with pytest.raises(RecordNotFoundError):
                self.ask(who, "revert", id=id, version=version)
            return
        then = row["past"][version - 1]
        if any(other is not row for other in self.live(who, sku=then["sku"])):
            with pytest.raises(DuplicateError):
                self.ask(who, "revert", id=id, version=version)
            return
        assert self.same(then, self.ask(who, "read", id=id, as_of=version))
        record = self.ask(who, "revert", id=id, version=version, expected_version=row["version"])
        self.change(row, {name: then[name] for name in ("sku", "name", "stock")})
        assert self.same(row, record)

    @precondition(lambda self: self.versioned)
    @rule(who=WHO, name=NAME)
    def see_what_is_by_its_history(self, who: int, name: str) -> None:
        """As of now the past says what the present does."""
        now = dt.datetime.now(dt.UTC)
        given = {"filter": {"name": name}, "sort": "-stock,sku", "limit": None}
        assert self.ask(who, "list", **given, as_of=now)["records"] == self.ask(who, "list", **given)["records"]

    # -- transactions, all tenants, none

    @rule(who=WHO, other=WHO, pick=PICK, name=NAME)
    def undo(self, who: int, other: int, pick: int, name: str) -> None:
        before = copy.deepcopy((self.rows, self.ids))
        with pytest.raises(_Undo), self.face.transaction():
            self.ask(who, "bulk_update", filter={"stock__gte": 0}, update={"name": name})
            self.ask(other, "delete", id=self.id(pick), raise_on_not_found=False)
            assert self.ask(other, "read", id=self.id(pick), raise_on_not_found=False)["found"] is False
            raise _Undo
        assert (self.rows, self.ids) == before

    @rule(values=VALUES, pick=PICK)
    def act_for_all(self, values: Row, pick: int) -> None:
        every = Context(all_tenants="the test")
        ours = {"tenant_id": {"$in": self.names}}
        counted = self.face.within(every, "items.count", {"filter": ours})["count"]
        assert counted == sum(len(self.live(who)) for who in range(3))
        for what, given in (("create", values), ("upsert", {**values, "conflict_on": ["sku"]})):
            with pytest.raises(TenantRequiredError):
                self.face.within(every, f"items.{what}", given)
        row = next((row for who in range(3) for row in self.live(who, id=self.id(pick))), None)
        if row is not None:
            self.face.within(every, "items.update", {"id": row["id"], "stock": 9})
            self.change(row, {"stock": 9})

    @rule(
        asked=st.sampled_from(
            [
                ("create", {"sku": "a", "name": "x"}),
                ("read", {"id": 1}),
                ("update", {"id": 1, "name": "x"}),
                ("delete", {"id": 1}),
                ("list", {}),
                ("count", {}),
                ("aggregate", {"count": True}),
                ("upsert", {"sku": "a", "name": "x", "conflict_on": ["sku"]}),
                ("bulk_create", {"data": [{"sku": "a", "name": "x"}]}),
                ("bulk_update", {"filter": {}, "update": {"name": "x"}, "confirmed": True}),
                ("bulk_update", {"data": [{"id": 1, "name": "x"}]}),
                ("bulk_delete", {"filter": {}, "confirmed": True}),
                ("bulk_upsert", {"data": [{"sku": "a", "name": "x"}], "conflict_on": ["sku"]}),
            ]
        )
    )
    def act_for_nobody(self, asked: tuple[str, Row]) -> None:
        what, given = asked
        with pytest.raises(TenantRequiredError):
            self.ask(None, what, **given)


class _Undo(Exception):
    pass


def machine(face: Face, *, soft: bool, versioned: bool) -> type[Tenants]:
    """Return the machine of this database."""
    return type("Machine", (Tenants,), {"face": face, "soft": soft, "versioned": versioned})
