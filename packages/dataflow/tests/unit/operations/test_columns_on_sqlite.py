"""The suite of tables that were there first, on SQLite."""

from __future__ import annotations

import pytest

from suites import columns


class TestElsewhere(columns.Elsewhere):
    TABLES = (
        """CREATE TABLE "Customer List" (
            "CustomerID" INTEGER PRIMARY KEY, "Full Name" VARCHAR(40) NOT NULL UNIQUE,
            "order" SMALLINT NOT NULL DEFAULT 0)""",
        """CREATE TABLE "order" (
            "select" TEXT NOT NULL PRIMARY KEY, "CustomerID" BIGINT NOT NULL REFERENCES "Customer List",
            "Rating" RATING_TYPE NOT NULL DEFAULT 'G', "Total" NUMERIC(8,2), "At" TEXT)""",
    )

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
