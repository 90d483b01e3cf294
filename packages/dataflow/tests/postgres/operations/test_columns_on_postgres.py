"""The suite of tables that were there first, on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import columns


class TestElsewhere(columns.Elsewhere):
    TABLES = (
        "CREATE TYPE rating_type AS ENUM ('G', 'PG-13')",
        """CREATE TABLE "Customer List" (
            "CustomerID" BIGSERIAL PRIMARY KEY, "Full Name" VARCHAR(40) NOT NULL UNIQUE,
            "order" SMALLINT NOT NULL DEFAULT 0)""",
        """CREATE TABLE "order" (
            "select" TEXT PRIMARY KEY, "CustomerID" BIGINT NOT NULL REFERENCES "Customer List",
            "Rating" rating_type NOT NULL DEFAULT 'G', "Total" NUMERIC(8,2), "At" TIMESTAMP)""",
    )

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
