from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from dataflow.executors import sqlite_functions


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    sqlite_functions.register(connection)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("regexp('^a', 'abc')", 1),
        ("regexp('^b', 'abc')", 0),
        ("regexp('^b', NULL)", None),
        ("'abc' REGEXP 'b'", 1),
        ("'abc' LIKE 'A%'", 0),
        ("dataflow_json_same('[1, 2]', '[1.0,2]')", 1),
        ("dataflow_json_same('[1, 2]', '[2,1]')", 0),
        ("dataflow_json_same(NULL, '[]')", None),
        ("dataflow_json_has('[1, \"a\"]', '[\"a\"]')", 1),
        ("dataflow_json_has('[1]', '[true]')", 0),
        ("dataflow_json_has(NULL, '[1]')", None),
        ("dataflow_key(1.5)", "1.5"),
        ("dataflow_key(-0.0)", "0.0"),
        ("dataflow_key(x'00ff')", "00ff"),
        ("dataflow_key(NULL)", None),
        ("dataflow_add(1, 2)", 3),
        ("dataflow_add(NULL, 2)", None),
        ("dataflow_add('0.1', '0.2')", "0.3"),
        ("dataflow_subtract('1', '1e-30')", "0." + "9" * 30),
        ("dataflow_multiply('99999999999999999999.99', '99999999999999999999.99')",
         "9999999999999999999998000000000000000000.0001"),
        ("dataflow_multiply(1.5, 2)", 3.0),
        ("'10' > '9' COLLATE dataflow_decimal", 1),
        ("'1.0' = '1.00' COLLATE dataflow_decimal", 1),
        ("'-1' < '-0.5' COLLATE dataflow_decimal", 1),
    ],
)  # fmt: skip
def test_a_function_means_what_postgresql_means(connection: sqlite3.Connection, expression: str, expected: Any) -> None:
    assert connection.execute(f"SELECT {expression}").fetchone()[0] == expected


@pytest.mark.parametrize(
    "expression",
    ["dataflow_add(9223372036854775807, 1)", "dataflow_subtract(-9223372036854775808, 1)",
     "dataflow_multiply(9223372036854775807, 2)", "dataflow_multiply(1e308, 10.0)"],
)  # fmt: skip
def test_a_number_that_no_longer_fits_is_refused(connection: sqlite3.Connection, expression: str) -> None:
    with pytest.raises(sqlite3.DataError) as fault:
        connection.execute(f"SELECT {expression}").fetchone()

    assert fault.value.sqlite_errorcode == sqlite3.SQLITE_TOOBIG
