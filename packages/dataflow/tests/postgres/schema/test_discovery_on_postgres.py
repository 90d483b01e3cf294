"""The discovery suite on PostgreSQL."""

from __future__ import annotations

import pytest

from suites import discovery


class _Here:
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


class TestFound(_Here, discovery.Found):
    TABLES = (
        "CREATE TYPE \"Mood\" AS ENUM ('so so', 'NC-17', '')",
        "CREATE DOMAIN year AS integer CHECK (VALUE > 1900)",
        """CREATE TABLE "Customers" (
            "CustomerID" SERIAL PRIMARY KEY, "Full Name" VARCHAR(40) NOT NULL UNIQUE,
            rank SMALLINT NOT NULL DEFAULT 3, mood "Mood" NOT NULL DEFAULT 'so so', born year, tags TEXT[],
            price NUMERIC(5,2) NOT NULL DEFAULT 4.99, ratio REAL DEFAULT 0, details JSON,
            seen TIMESTAMP NOT NULL DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now(),
            at TIME, code CHAR(3), key UUID DEFAULT gen_random_uuid(), place POINT, words TSVECTOR,
            twice INT GENERATED ALWAYS AS (rank * 2) STORED, number BIGINT GENERATED ALWAYS AS IDENTITY)""",
        """CREATE TABLE "Order Details" (
            "select" TEXT PRIMARY KEY, "CustomerID" INT NOT NULL REFERENCES "Customers" ON DELETE CASCADE,
            "from" INT)""",
        'CREATE INDEX "by customer" ON "Order Details" ("CustomerID")',
        'CREATE INDEX partly ON "Order Details" ("from") WHERE "from" > 1',
        'CREATE INDEX found ON "Customers" USING gin (words)',
        "CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (a, b))",
        "CREATE TABLE payments (id BIGINT, at DATE NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE payments_2026 PARTITION OF payments FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        "CREATE VIEW shown AS SELECT 1 AS one",
        "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one",
    )
    LEFT_OUT = {
        "kept": "a materialized view, which has no key",
        "pairs": "a primary key of several columns (a, b)",
        "payments": "a primary key of several columns (id, at)",
        "payments_2026": "a part of payments",
        "shown": "a view, which has no key",
    }
    ENDS = (
        'class Mood(Enum):\n    SO_SO = "so so"\n    NC_17 = "NC-17"\n    EMPTY = ""\n',
        'Integer = Annotated[int, Column(type="integer")]\n',
        '    id: Annotated[Integer, Column("CustomerID")]\n',
        '    rank: Annotated[int, Column(type="smallint")] = 3\n',
        "    mood: Annotated[Mood, Column(type='\"Mood\"')] = Mood.SO_SO\n",
        '    born: Annotated[int, Column(type="year")] | None = None\n',
        '    tags: Annotated[list[str], Column(type="text[]")] | None = None\n',
        '    price: Annotated[Decimal, Column(type="numeric(5,2)")] = Decimal("4.99")\n',
        "    seen: Annotated[dt.datetime, Meta(tz=False)] = dt.datetime.now\n",
        "    updated_at: dt.datetime | None = now\n",
        "    key: UUID | None = uuid4\n",
        "    # place: point, which no type of Python stands for\n",
        "    # twice: computed: (rank * 2)\n    # number: counted by the database\n",
        "    # index found: gin\n",
        '    customer_id: Annotated[Integer, Column("CustomerID"), ForeignKey("Customer.id", on_delete="cascade")]\n',
    )


class TestVerified(_Here, discovery.Verified):
    pass
