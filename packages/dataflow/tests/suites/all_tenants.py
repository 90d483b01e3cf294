"""Acting for every tenant at once is in the audit log, whoever does it and by whichever operation."""

from __future__ import annotations

from typing import Any

import pytest

from dataflow import DataFlow
from kailash.context import Context
from suites.faces import Face, Facing

EVERYBODY = Context(principal="ann", channel="rest", request_id="r1", all_tenants="monthly invoices")


class AllTenants:
    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url, multi_tenant=True, cache_enabled=True, **self.options())

        @db.model
        class Note:
            title: str

            __dataflow__ = {"audit_log": True, "feed": True, "versioned": True}

        @db.model
        class Draft:
            title: str

        face = faced(db)
        for tenant in ("acme", "globex"):
            face.within(Context(tenant=tenant), "notes.create", {"title": tenant})
        return face

    def options(self) -> dict[str, Any]:
        """Options of the database besides."""
        return {}

    @pytest.mark.parametrize(
        ("what", "inputs"),
        [
            ("list", {}),
            ("count", {}),
            ("read", {"id": 1}),
            ("history", {"id": 1}),
            ("aggregate", {"count": True}),
            ("update", {"id": 1, "title": "x"}),
            ("delete", {"id": 1}),
            ("bulk_update", {"filter": {}, "update": {"title": "x"}, "confirmed": True}),
            ("bulk_delete", {"filter": {}, "confirmed": True}),
        ],
    )
    def test_each_operation_is_noted_with_its_reason(self, shop: Face, what: str, inputs: dict[str, Any]) -> None:
        for _ in range(2):  # kept answers are no way around it
            shop.within(
                EVERYBODY, f"notes.{what}", {**inputs, **({"raise_on_not_found": False} if what == "delete" else {})}
            )

        noted = shop.db.audit.query(event="all_tenants")
        assert [(each.model, each.operation, each.reason) for each in noted] == [("Note", what, "monthly invoices")] * 2
        assert (noted[0].actor, noted[0].channel, noted[0].request_id) == ("ann", "rest", "r1")
        assert (noted[0].id, noted[0].before, noted[0].after) == (None, None, None)
        assert shop.db.audit.verify().entries == len(shop.db.audit.query(limit=1000))

    def test_a_block_of_code_is_noted_too(self, shop: Face) -> None:
        with shop.db.all_tenants(reason="count them"):
            assert shop.db.express_sync.count("Note") == 2
        with shop.db.tenant("acme"):
            assert shop.db.express_sync.count("Note") == 1

        assert [each.reason for each in shop.db.audit.query(event="all_tenants")] == ["count them"]

    def test_what_is_undone_was_not_done(self, shop: Face) -> None:
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.within(EVERYBODY, "notes.update", {"id": 1, "title": "x"})
            raise ZeroDivisionError

        assert shop.db.audit.query(event="all_tenants") == []

    def test_the_feed_tells_of_changes_alone(self, shop: Face) -> None:
        shop.within(EVERYBODY, "notes.list", {})
        shop.within(EVERYBODY, "notes.update", {"id": 1, "title": "x"})

        assert [each.event for each in shop.db.feed.read()] == ["create", "create", "update"]

    def test_a_model_that_is_not_audited_has_no_entries(self, shop: Face) -> None:
        shop.within(EVERYBODY, "drafts.list", {})

        assert shop.db.audit.query(event="all_tenants") == []
