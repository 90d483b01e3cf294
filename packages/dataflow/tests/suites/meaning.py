"""Conditions, orders and changes mean in SQL what they mean in memory: on the driver of the fixture ``answer``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given

from dataflow.query import ordering
from dataflow.query.assign import Assignment
from dataflow.query.ordering import Order
from kailash.conditions import kinds, matches, parse
from suites import samples


class MeaningSuite:
    """What must hold on every driver; subclasses give the fixture ``answer`` over a filled table."""

    @pytest.mark.parametrize("field", ["id", *samples.VALUES])
    def test_an_operator_selects_what_it_matches_in_memory(self, answer: samples.Answer, field: str) -> None:
        for operator in sorted(kinds.ALLOWED[kinds.of(samples.RECORD)[field]]):
            tests = [{field: {"$" + operator: operand}} for operand in samples.operands(field, operator)]
            for raw in (*tests, {"$not": tests[0]}, {"$not": tests[-1]}):
                where = parse(raw, samples.RECORD)

                expected = {record["id"] for record in samples.RECORDS if matches(where, record)}

                assert (raw, samples.selected(answer, where)) == (raw, expected)

    @given(raw=samples.FILTERS)
    def test_a_filter_of_many_tests_selects_what_it_matches_in_memory(
        self, answer: samples.Answer, raw: dict[str, Any]
    ) -> None:
        where = parse(raw, samples.RECORD)

        expected = {record["id"] for record in samples.RECORDS if matches(where, record)}

        assert samples.selected(answer, where) == expected

    @given(order=samples.ORDERS)
    @example(order=(Order("id", True),))
    def test_an_order_is_the_same_in_memory(self, answer: samples.Answer, order: tuple[Order, ...]) -> None:
        whole = ordering.total(order)

        expected = [record["id"] for record in ordering.arrange(samples.RECORDS, whole)]

        assert samples.ordered(answer, whole) == expected

    @given(order=samples.ORDERS)
    @example(order=(Order("code", True), Order("id", True)))
    @example(order=(Order("group"), Order("whole", True)))
    def test_pages_by_cursor_visit_every_record_once(self, answer: samples.Answer, order: tuple[Order, ...]) -> None:
        whole = ordering.total(order)
        keys: tuple[Any, ...] = ()
        visited: list[int] = []
        while page := samples.following(answer, whole, keys, 17):
            visited += [record["id"] for record in page]
            keys = ordering.decode_cursor(ordering.encode_cursor(whole, page[-1]), whole, samples.RECORD)

        assert visited == [record["id"] for record in ordering.arrange(samples.RECORDS, whole)]

    @pytest.mark.parametrize("field", [*samples.VALUES])
    def test_a_member_is_found_alone_and_among_thousands(self, answer: samples.Answer, field: str) -> None:
        if field in samples.ITEMS or field == "details":
            return
        found = [record for record in samples.RECORDS if record[field] is not None]
        for members in ([], [found[0][field]], [found[0][field]] * 5_000):
            where = parse({field: {"$in": members}}, samples.RECORD)

            expected = {record["id"] for record in samples.RECORDS if matches(where, record)}

            assert samples.selected(answer, where) == expected

    @pytest.mark.parametrize(
        "fields",
        [("whole",), ("whole", "name"), ("ratio", "blob"), ("price", "moment", "key"), ("color", "day", "span")],
    )
    def test_records_are_found_by_several_keys_together(self, answer: samples.Answer, fields: tuple[str, ...]) -> None:
        whole = [record for record in samples.RECORDS if all(record[field] is not None for field in fields)]
        keys = [[record[field] for field in fields] for record in whole[:5]]

        found = samples.together(answer, fields, keys)

        assert found == {record["id"] for record in whole if [record[field] for field in fields] in keys}

    @pytest.mark.parametrize(
        ("field", "stored", "change", "expected"),
        [
            ("whole", 5, Assignment("inc", 2**62), 5 + 2**62),
            ("whole", 5, Assignment("dec", 7), -2),
            ("whole", -3, Assignment("mul", 7), -21),
            ("whole", None, Assignment("inc", 1), None),
            ("ratio", 0.1, Assignment("inc", 0.2), 0.1 + 0.2),
            ("ratio", 2.0, Assignment("mul", 1.5), 3.0),
            ("price", Decimal("0.10"), Assignment("inc", Decimal("0.2")), Decimal("0.30")),
            ("price", Decimal("12345678901234567890.123456789"), Assignment("mul", Decimal("1.1")),
             Decimal("13580246791358024679.1358024679")),
            ("price", Decimal(1), Assignment("dec", Decimal("1E-20")), Decimal("0.99999999999999999999")),
            ("name", "x", Assignment("set", "{$inc}"), "{$inc}"),
            ("name", "x", Assignment("set", None), None),
            ("tags", [], Assignment("set", ["a", "b"]), ["a", "b"]),
        ],
        ids=str,
    )  # fmt: skip
    def test_a_change_does_what_python_does(
        self, answer: samples.Answer, field: str, stored: Any, change: Assignment, expected: Any
    ) -> None:
        samples.changed(answer, 1, field, Assignment("set", stored))

        assert samples.changed(answer, 1, field, change) == expected

        samples.changed(answer, 1, field, Assignment("set", samples.RECORDS[0][field]))

    @pytest.mark.parametrize(("field", "operand"), [("whole", 2**63 - 1), ("ratio", 1.7e308)])
    def test_a_number_never_leaves_its_type(self, answer: samples.Answer, field: str, operand: Any) -> None:
        samples.changed(answer, 1, field, Assignment("set", operand))
        with pytest.raises(Exception):  # noqa: B017 - each driver has its own
            samples.changed(answer, 1, field, Assignment("inc", operand))

        assert (
            samples.changed(answer, 1, field, Assignment("set", samples.RECORDS[0][field])) == samples.RECORDS[0][field]
        )
