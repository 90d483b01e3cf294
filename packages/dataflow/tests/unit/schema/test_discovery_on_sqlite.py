"""The discovery suite on SQLite."""

from __future__ import annotations

import pytest

from suites import discovery


class _Here:
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestFound(_Here, discovery.Found):
    TABLES = (
        """CREATE TABLE "Customers" (
            "CustomerID" INTEGER PRIMARY KEY, "Full Name" VARCHAR(40) NOT NULL UNIQUE,
            rank SMALLINT NOT NULL DEFAULT 3, class TEXT DEFAULT 'it''s "so"', "1st" REAL DEFAULT 0,
            born DATE DEFAULT current_date, at DATETIME, price DECIMAL(10,2) NOT NULL DEFAULT 4.99,
            ok BOOL NOT NULL DEFAULT 1, "__odd" BLOB, double_ INT GENERATED ALWAYS AS (rank * 2), anything)""",
        """CREATE TABLE "Order Details" (
            "select" TEXT NOT NULL PRIMARY KEY, "CustomerID" BIGINT NOT NULL REFERENCES "Customers" ON DELETE CASCADE,
            "from" INTEGER)""",
        'CREATE INDEX "by customer" ON "Order Details" ("CustomerID")',
        'CREATE INDEX partly ON "Order Details" ("from") WHERE "from" > 1',
        "CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (a, b))",
        "CREATE TABLE loose (a INT)",
        "CREATE TABLE moments (at REAL PRIMARY KEY)",
        "CREATE VIEW shown AS SELECT 1 AS one",
    )
    LEFT_OUT = {
        "pairs": "a primary key of several columns (a, b)",
        "loose": "no primary key",
        "moments": "a primary key of the type real",
        "shown": "a view, which has no key",
    }
    ENDS = (
        '    id: Annotated[int, Column("CustomerID")]\n',
        '    full_name: Annotated[str, Meta(max_length=40), Column("Full Name")]\n',
        '    class_: Annotated[str, Column("class")] | None = \'it\\\'s "so"\'\n',
        '    n_1st: Annotated[float, Column("1st")] | None = 0.0\n',
        '    born: Annotated[dt.date, Column(type="date")] | None = dt.date.today\n',
        '    ok: bool = True\n    odd: Annotated[bytes, Column("__odd")] | None = None\n',
        "    # double_: computed: rank * 2\n    # anything: no type, which no type of Python stands for\n",
        '        {"fields": ["customer_id"], "name": "by customer"},\n',
        '    id: Annotated[str, Column("select", made=False)]\n',
        '    customer_id: Annotated[int, Column("CustomerID"), ForeignKey("Customer.id", on_delete="cascade")]\n',
        "    # index partly: of some records\n",
    )


class TestVerified(_Here, discovery.Verified):
    pass
