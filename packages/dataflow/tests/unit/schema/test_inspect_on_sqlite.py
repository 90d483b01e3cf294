"""Inspection on SQLite, and the reading of the text that it keeps of a table."""

from __future__ import annotations

import pytest

from dataflow.schema import sqlite_text
from dataflow.schema.state import Check
from suites import inspection


class TestInspection(inspection.Inspection):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


WRITTEN = """CREATE TABLE "odd ""one" ( -- a comment, with (a comma
  id INTEGER CONSTRAINT pk PRIMARY KEY AUTOINCREMENT,
  [a b] TEXT NOT NULL DEFAULT 'x, CHECK (y)' COLLATE nocase CHECK (length([a b]) > (1)),
  `c` NUMERIC(10, 2) CONSTRAINT cents CHECK ("c" * 100 = round(c * 100)) REFERENCES other,
  d AS (c * 2) VIRTUAL,
  e TEXT GENERATED ALWAYS AS (upper("a b")) STORED UNIQUE,
  f INTEGER DEFAULT NULL CONSTRAINT to_other REFERENCES other (id) ON DELETE SET NULL,
  UNIQUE ("a b", c) ON CONFLICT IGNORE,
  CONSTRAINT fk FOREIGN KEY (f, "c") REFERENCES other (a, b) ON UPDATE SET DEFAULT,
  CONSTRAINT whole CHECK (f IN (1, 2, 3) /* some */ OR f IS NULL)
) STRICT, WITHOUT ROWID"""


def test_the_text_of_a_table_tells_what_the_pragmas_do_not() -> None:
    written = sqlite_text.read(WRITTEN)

    assert written.collations == {"a b": "nocase"}
    assert written.generated == {"d": "c * 2", "e": 'upper("a b")'}
    assert written.checks == (
        Check("", "length([a b]) > (1)"),
        Check("cents", '"c" * 100 = round(c * 100)'),
        Check("whole", "f IN (1, 2, 3) /* some */ OR f IS NULL"),
    )
    assert written.key_names == {("f",): "to_other", ("f", "c"): "fk"}
    assert (written.primary_key_name, written.autoincrement) == ("pk", True)
    assert written.options == ("STRICT", "WITHOUT ROWID")


@pytest.mark.parametrize("text", ["", "CREATE VIRTUAL TABLE t USING fts5", "CREATE TABLE t(a, b)", "CREATE TABLE t(a"])
def test_a_text_that_says_little_is_read_as_saying_little(text: str) -> None:
    assert sqlite_text.read(text) == sqlite_text.Written()
