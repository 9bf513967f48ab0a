"""Scores of probabilities, by numbers that can be checked by hand."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.calibration import (
    Named,
    Platt,
    Scored,
    at_base_rate,
    brier,
    calibration_error,
    intervals,
    log_loss,
    metrics,
    named_at,
    platt,
    precision_at_top,
    reliability,
)


def scored(*pairs: tuple[float, int]) -> list[Scored]:
    return [
        Scored(f"{number:04}", chance, bool(label), f"g{number}")
        for number, (chance, label) in enumerate(pairs)
    ]


some = st.lists(
    st.tuples(st.floats(0.001, 0.999), st.sampled_from([0, 1])), min_size=1, max_size=40
).map(lambda pairs: scored(*pairs))


def test_scores_are_those_of_the_textbook() -> None:
    found = scored((0.8, 1), (0.4, 0))
    assert brier(found) == pytest.approx((0.04 + 0.16) / 2)
    assert log_loss(found) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)


def test_log_loss_of_a_certain_mistake_is_large_and_finite() -> None:
    assert 20 < log_loss(scored((0.0, 1))) < 30


def test_bins_have_equal_counts_and_go_up() -> None:
    found = reliability(scored(*((number / 100, number > 50) for number in range(95))))
    assert [each.n for each in found] == [9, 10, 9, 10, 9, 10, 9, 10, 9, 10]
    assert all(one.high <= other.low for one, other in pairwise(found))


def test_calibration_error_is_the_mean_distance_in_bins() -> None:
    half = scored(*[(0.5, number % 2) for number in range(20)])
    assert calibration_error(half) == pytest.approx(0.0)
    assert calibration_error(scored(*[(0.9, 0)] * 20)) == pytest.approx(0.9)


def test_precision_at_the_top_looks_at_the_most_probable() -> None:
    found = scored(*[(0.9, 1)] * 15, *[(0.8, 0)] * 5, *[(0.1, 1)] * 50)
    assert precision_at_top(found) == pytest.approx(0.75)


def test_another_base_rate_weighs_and_leaves_the_rows() -> None:
    found = at_base_rate(scored(*[(0.9, 1)] * 8, *[(0.9, 0)] * 2), 0.1)
    assert sum(each.weight for each in found if each.is_positive) == pytest.approx(1.0)
    assert named_at(found, 0.5).precision == pytest.approx(0.1)
    assert sum(each.weight for each in found) == pytest.approx(10)


def test_naming_has_precision_recall_and_false_share() -> None:
    found = scored((0.9, 1), (0.6, 0), (0.4, 1), (0.1, 0))
    assert named_at(found, 0.5) == Named(0.5, 0.5, 0.5)


def test_naming_of_nobody_has_no_precision() -> None:
    assert named_at(scored((0.1, 0)), 0.5) == Named(None, None, 0.0)
    assert named_at(scored((0.9, 1)), 0.5).false_share is None


def test_intervals_hold_the_score_and_are_the_same_each_time() -> None:
    found = scored(*[(0.7, number % 10 < 7) for number in range(200)])
    twice = [intervals(found, random.Random(1).randrange, 100) for _ in range(2)]
    assert twice[0] == twice[1]
    assert twice[0]["brier"].low < brier(found) < twice[0]["brier"].high


def test_groups_are_drawn_whole() -> None:
    found = [Scored(str(n), 0.9, n < 10, "one" if n < 10 else "two") for n in range(20)]
    drawn = intervals(found, random.Random(1).randrange, 50)["brier"]
    assert (drawn.low, drawn.high) == pytest.approx((0.01, 0.81))


def test_platt_leaves_honest_probabilities_alone() -> None:
    found = scored(*[(0.8, number % 5 > 0) for number in range(500)])
    assert platt(found).apply(0.8) == pytest.approx(0.8, abs=0.01)


def test_platt_takes_boasting_down() -> None:
    boasts = scored(*[(0.99, number % 5 > 0) for number in range(500)])
    assert 0.78 < platt(boasts).apply(0.99) < 0.85


@given(some, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_platt_keeps_the_order(found: list[Scored], one: float, other: float) -> None:
    scaling = platt(found)
    assert scaling.slope > 0
    low, high = sorted((one, other))
    assert scaling.apply(low) <= scaling.apply(high)


@given(some)
def test_scores_stay_in_their_ranges_and_bins_hold_every_row(found: list[Scored]) -> None:
    told = metrics(found)
    assert 0 <= told.brier <= 1
    assert 0 <= told.ece <= 1
    assert told.log_loss >= 0
    assert sum(each.n for each in reliability(found)) == told.n == len(found)


def test_a_scaling_of_one_and_none_changes_nothing() -> None:
    assert Platt().apply(0.3) == pytest.approx(0.3)
