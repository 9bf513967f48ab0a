"""Turns at servers, evenly spaced."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.errors import Unavailable
from hunter.outbound.rates import MAX_WAIT_S, Rates


def test_turns_at_one_server_are_a_gap_apart_and_another_server_waits_for_nobody() -> None:
    rates = Rates(2)

    waits = [rates.reserve("rdap.test", 100.0) for _ in range(4)]

    assert waits == [0.0, 0.5, 1.0, 1.5]
    assert rates.reserve("other.test", 100.0) == 0.0
    assert rates.reserve("rdap.test", 200.0) == 0.0


@given(st.lists(st.floats(0, 10), min_size=2, max_size=50))
def test_no_two_turns_are_ever_closer_than_the_gap(pauses: list[float]) -> None:
    rates = Rates(1)
    now = 0.0
    turns = []
    for pause in pauses:
        now += pause
        turns.append(now + rates.reserve("rdap.test", now))

    gaps = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert min(gaps) >= 1 - 1e-6


def test_a_turn_too_far_off_is_refused_and_takes_no_place() -> None:
    rates = Rates(1)
    waits = [rates.reserve("rdap.test", 100.0) for _ in range(int(MAX_WAIT_S) + 1)]

    with pytest.raises(Unavailable) as refused:
        rates.reserve("rdap.test", 100.0)
    assert max(waits) == MAX_WAIT_S
    assert refused.value.retry_after_s == MAX_WAIT_S + 1
    with pytest.raises(Unavailable):
        rates.reserve("rdap.test", 100.5)
    assert rates.reserve("rdap.test", 101.5) <= MAX_WAIT_S


async def test_a_server_that_wants_a_rest_is_left_alone() -> None:
    rates = Rates(100)
    await rates.turn("rdap.test")
    rates.rest("rdap.test", 3600)

    with pytest.raises(Unavailable) as refused:
        await rates.turn("rdap.test")
    assert 3590 <= refused.value.retry_after_s <= 3600
    rates.rest("rdap.test", 1)  # a shorter rest does not end a longer one
    with pytest.raises(Unavailable):
        await rates.turn("rdap.test")
    await rates.turn("other.test")


def test_servers_long_past_are_forgotten() -> None:
    rates = Rates(1)
    for number in range(5000):
        rates.reserve(f"rdap{number}.test", float(number))

    assert rates.reserve("rdap4999.test", 4999.0) == 1.0
