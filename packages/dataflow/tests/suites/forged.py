"""What callers make up: the tenant, the id, the version, the mark of a deletion. It changes nothing, whatever it is.

The values are generated; the operations are all that write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.errors import InvalidTenantError
from kailash.context import Context
from kailash.errors import KailashError, Kind
from suites.faces import Face

Row = dict[str, Any]
KEPT: Final = ("tenant_id", "version", "deleted_at", "created_at", "updated_at")  # what no caller sets
ANYTHING: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.sampled_from(
        ["globex", "acme", "' OR '1'='1", "a\0b", "x" * 10_000, "2026-01-01T00:00:00Z", {"$set": "globex"}]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def writes(field: str, value: Any) -> list[tuple[str, Row]]:
    """Return every write that gives *field* that value."""
    forged = {field: value}
    return [
        ("create", {"title": "b", **forged}),
        ("update", {"id": 1, **forged}),
        ("update", {"filter": {"title": "a"}, "fields": forged}),
        ("upsert", {"id": 1, "title": "b", **forged, "conflict_on": ["id"]}),
        ("upsert", {"where": {"id": 1}, "create": {"title": "b", **forged}, "update": forged}),
        ("bulk_create", {"data": [{"title": "b", **forged}]}),
        ("bulk_update", {"filter": {"title": "a"}, "update": forged}),
        ("bulk_update", {"data": [{"id": 1, **forged}]}),
        ("bulk_upsert", {"data": [{"id": 1, "title": "b", **forged}], "conflict_on": ["id"]}),
    ]


class Forged:
    @pytest.fixture
    def desk(self, url: str) -> Iterator[Face]:
        db = DataFlow(url, multi_tenant=True)

        @db.model
        class Note:
            title: str

            __dataflow__ = {"versioned": True, "soft_delete": True}

        face = Face(db, blocking=True)
        for tenant in ("acme", "globex"):
            face.within(Context(tenant=tenant), "notes.create", {"title": "a"})
        yield face
        face.close()

    def stored(self, desk: Face) -> Any:
        with desk.db.all_tenants(reason="the test"):
            return desk.db.express_sync.list("Note", include_deleted=True, limit=None)

    def refused(self, desk: Face, context: Context, what: str, inputs: Mapping[str, Any]) -> KailashError:
        """Return the error of what cannot be; it says nothing of SQL."""
        with pytest.raises(KailashError) as caught:
            desk.within(context, f"notes.{what}", inputs)
        assert "SELECT" not in str(caught.value) and "INSERT" not in str(caught.value)
        return caught.value

    @given(field=st.sampled_from(KEPT), value=ANYTHING)
    def test_what_is_kept_by_us_is_set_by_nobody(self, desk: Face, field: str, value: Any) -> None:
        before = self.stored(desk)
        for what, inputs in writes(field, value):
            assert self.refused(desk, Context(tenant="acme"), what, inputs).kind is Kind.INVALID

        assert self.stored(desk) == before

    @given(value=ANYTHING.filter(lambda value: value != 1 or isinstance(value, bool)))
    def test_an_id_or_a_version_that_is_made_up_finds_nothing(self, desk: Face, value: Any) -> None:
        before = self.stored(desk)
        asked: list[tuple[str, Row]] = [
            ("read", {"id": value}),
            ("update", {"id": value, "title": "b"}),
            ("delete", {"id": value}),
            ("restore", {"id": value}),
            ("purge", {"id": value}),
            ("history", {"id": value}),
            ("revert", {"id": value, "version": 1}),
            ("revert", {"id": 1, "version": value}),
            ("read", {"id": 1, "as_of": {"version": value}}),
        ]
        if value is not None:  # which is as if it were not given
            asked.append(("update", {"id": 1, "title": "b", "expected_version": value}))
            asked.append(("delete", {"id": 1, "expected_version": value}))
        for what, inputs in asked:
            error = self.refused(desk, Context(tenant="acme"), what, inputs)
            assert error.kind in (Kind.INVALID, Kind.NOT_FOUND, Kind.CONFLICT), error

        assert self.stored(desk) == before

    @given(tenant=st.text(max_size=300))
    def test_a_tenant_of_any_name_has_its_own_or_is_refused(self, desk: Face, tenant: str) -> None:
        context = Context(tenant=tenant)
        if tenant in ("acme", "globex"):
            return
        before = self.stored(desk)
        if not tenant or len(tenant) > 255 or "\0" in tenant:
            for what, inputs in (("list", {}), ("create", {"title": "b"}), ("update", {"id": 1, "title": "b"})):
                with pytest.raises(InvalidTenantError):
                    desk.within(context, f"notes.{what}", inputs)
            assert self.stored(desk) == before
            return
        made = desk.within(context, "notes.create", {"title": "mine"})

        assert made["tenant_id"] == tenant
        assert [each["title"] for each in desk.within(context, "notes.list", {})["records"]] == ["mine"]
        assert desk.within(context, "notes.history", {"id": made["id"]})["count"] == 1
        desk.within(context, "notes.delete", {"id": made["id"]})
        desk.within(context, "notes.purge", {"id": made["id"]})
        assert self.stored(desk) == before
