"""Ids that we make."""

from __future__ import annotations

import time
from uuid import UUID

from dataflow.model import identity


def test_an_id_is_a_uuid_of_version_7_and_of_now() -> None:
    before = time.time_ns() // 1_000_000
    made = identity.new_uuid()
    after = time.time_ns() // 1_000_000

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before <= made.int >> 80 <= after


def test_the_text_of_an_id_is_that_of_a_uuid() -> None:
    made = identity.new_text()

    assert str(UUID(made)) == made
    assert UUID(made).version == 7


def test_ids_differ_and_sort_by_the_time_they_were_made() -> None:
    made = []
    for _ in range(200):
        made.append(identity.new_text())
        until = time.perf_counter_ns() + 1_000  # several steps of the clock's fraction (244 ns)
        while time.perf_counter_ns() < until:
            pass

    assert len(set(made)) == len(made)
    assert sorted(made) == made
