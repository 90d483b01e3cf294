"""An outbox as one writes it by hand: a table of changes, and a trigger that writes to it what a table is given.

It is the least there can be: who writes, when, for whom and in which order of commits is not told.
"""

from __future__ import annotations

from typing import Final

from dataflow.operations.dialect import Dialect

COLUMNS: Final = ("id", "sku", "name", "category", "price", "stock", "active", "created_at", "updated_at")


def statements(table: str, dialect: Dialect) -> list[str]:
    """Return the statements that make the outbox of *table*."""
    if dialect == "sqlite":
        pairs = ", ".join(f"'{column}', NEW.{column}" for column in COLUMNS)
        return [
            "CREATE TABLE by_hand (id INTEGER PRIMARY KEY, model TEXT NOT NULL, record TEXT NOT NULL, after TEXT)",
            (
                f"CREATE TRIGGER by_hand AFTER INSERT ON {table} BEGIN INSERT INTO by_hand (model, record, after)"
                f" VALUES ('{table}', NEW.id, json_object({pairs})); END"
            ),
        ]
    return [
        (
            "CREATE TABLE by_hand (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at TIMESTAMPTZ NOT NULL,"
            " model TEXT NOT NULL, record TEXT NOT NULL, after TEXT)"
        ),
        (
            "CREATE FUNCTION by_hand() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO by_hand"
            f" (at, model, record, after) VALUES (now(), '{table}', NEW.id, to_json(NEW)::text); RETURN NULL; END $$"
        ),
        f"CREATE TRIGGER by_hand AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION by_hand()",
    ]
