"""A comparison of two releases says worse when it is sure, and only then."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases.made_up import FIRST, Repository
from releases.test_matrix import cut

import bench_compare
import confidence
import promises as book

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30)


def noisy(seconds: float, spread: float, seed: int) -> Callable[[str, int], float]:
    """Return a measure that is *seconds*, give or take *spread* of it, and now and then three times as long."""
    draw = random.Random(seed)

    def measure(case: str, calls: int) -> float:
        return seconds * (1 + draw.uniform(-spread, spread)) * (3 if draw.random() < 0.05 else 1)

    return measure


# -- the interval


@given(TIMES)
def test_nothing_is_neither_better_nor_worse_than_itself(times: list[float]) -> None:
    assert confidence.interval(times, times) == (1.0, 1.0, 1.0)


@given(st.lists(st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)), min_size=1, max_size=30))
def test_the_middle_lies_in_the_interval_and_the_same_numbers_give_the_same(pairs: list[tuple[float, float]]) -> None:
    before, now = [a for a, _ in pairs], [b for _, b in pairs]

    found = confidence.interval(before, now)

    assert found.low <= found.middle <= found.high
    assert found == confidence.interval(before, now)


@pytest.mark.parametrize(("before", "now"), [([], []), ([1.0], []), ([0.0], [1.0]), ([1.0], [-1.0])])
def test_times_that_are_none_are_refused(before: list[float], now: list[float]) -> None:
    with pytest.raises(ValueError, match="times come in pairs"):
        confidence.interval(before, now)


# -- the verdict


@pytest.mark.parametrize("seed", range(20))
def test_the_same_code_is_not_called_worse_by_noise(seed: int) -> None:
    (verdict,) = bench_compare.compare(["x"], noisy(0.01, 0.3, seed), noisy(0.01, 0.3, seed + 1000))

    assert verdict.ratio.verdict == "as before"


@pytest.mark.parametrize("seed", range(20))
def test_code_that_takes_half_as_long_again_is_called_worse(seed: int) -> None:
    (verdict,) = bench_compare.compare(["x"], noisy(0.01, 0.2, seed), noisy(0.016, 0.2, seed + 1000))

    assert (verdict.ratio.verdict, verdict.rounds) == ("WORSE", bench_compare.MOST)


def test_a_busy_moment_of_one_side_is_not_called_worse() -> None:
    """The first rounds of what is here take four times as long; then they do not."""
    count = itertools.count()

    def disturbed(case: str, calls: int) -> float:
        return 0.04 if next(count) < bench_compare.ROUNDS + 2 else 0.01

    (verdict,) = bench_compare.compare(["x"], noisy(0.01, 0.1, 3), disturbed)

    assert verdict.rounds > bench_compare.ROUNDS
    assert verdict.ratio.verdict == "as before"


def test_the_rounds_of_all_cases_are_spread_over_the_run() -> None:
    order: list[str] = []

    def side(case: str, calls: int) -> float:
        order.append(case)
        return 0.06

    bench_compare.compare(["a", "b"], side, side)

    assert order[8:] == ["a", "a", "b", "b"] * bench_compare.ROUNDS


def test_what_is_not_clear_is_measured_more_and_not_called_worse() -> None:
    (verdict,) = bench_compare.compare(["x"], noisy(0.01, 0.6, 1), noisy(0.0126, 0.6, 2))

    assert verdict.rounds > bench_compare.ROUNDS
    assert verdict.ratio.verdict != "WORSE"


def test_both_sides_go_first_in_turn() -> None:
    order: list[str] = []

    def side(name: str) -> Callable[[str, int], float]:
        def measure(case: str, calls: int) -> float:
            order.append(name)
            return 0.06

        return measure

    bench_compare.compare(["x"], side("before"), side("now"))

    warmed = order[4:]
    rounds = list(zip(warmed[::2], warmed[1::2], strict=True))
    assert rounds == [("now", "before"), ("before", "now")] * (bench_compare.ROUNDS // 2)


# -- what is compared with


def test_without_a_release_one_names_a_commit(repository: Repository) -> None:
    with pytest.raises(book.ReleaseError, match="there is no release of kailash-core, dataflow, nexus to compare with"):
        bench_compare.base_of(repository.root)


def test_what_is_here_is_compared_with_the_last_releases(repository: Repository) -> None:
    cut(repository, FIRST)
    last = {each.package: each.commit for each in book.read(repository.root).releases}
    with pytest.raises(book.ReleaseError, match="what is here is the only release"):
        bench_compare.base_of(repository.root)

    repository.change("nexus")

    assert bench_compare.base_of(repository.root) == last


def test_a_release_is_compared_with_the_one_before(repository: Repository) -> None:
    cut(repository, FIRST)
    last = {each.package: each.commit for each in book.read(repository.root).releases}
    for package in FIRST:
        repository.change(package)
    cut(repository, {"kailash-core": "1.1.0", "dataflow": "0.12.0", "nexus": "1.2.0"})

    assert bench_compare.base_of(repository.root) == last


def test_a_commit_that_this_clone_lacks_is_named(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(book.ReleaseError, match="this clone lacks the commit nowhere"):
        bench_compare.built(repository.root, {"nexus": "nowhere"}, tmp_path)
