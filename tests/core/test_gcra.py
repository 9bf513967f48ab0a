"""The rate algorithm: a burst at once, then one request an interval, and nothing saved up beyond."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunter.core.gcra import Limit, step, verdict

LIMIT = Limit(per_minute=60, burst=3)
SECOND_US = 1_000_000


def test_a_burst_passes_at_once_and_the_next_waits_its_interval() -> None:
    due, told = 0, []
    for _ in range(4):
        due, wait, ahead = step(LIMIT, due, 10 * SECOND_US)
        told.append(verdict(LIMIT, wait, ahead))

    assert [each.is_allowed for each in told] == [True, True, True, False]
    assert [each.remaining for each in told] == [2, 1, 0, 0]
    assert told[3].retry_s == 1
    assert told[2].reset_s == told[3].reset_s == 3


def test_a_refused_request_costs_nothing() -> None:
    due, _, _ = step(LIMIT, 13 * SECOND_US, 10 * SECOND_US)

    assert step(LIMIT, due, 11 * SECOND_US)[1] == 0


def test_a_clock_that_was_wrong_locks_nobody_out_for_longer_than_a_burst() -> None:
    far = 10**15

    _, wait, ahead = step(LIMIT, far, 10 * SECOND_US)

    assert (wait, ahead) == (SECOND_US, LIMIT.span_us)


@given(
    limit=st.builds(Limit, st.integers(1, 10_000_000), st.integers(1, 50)),
    gaps=st.lists(st.integers(0, 5 * SECOND_US), min_size=1, max_size=200),
)
def test_no_more_pass_than_burst_and_rate_allow(limit: Limit, gaps: list[int]) -> None:
    due = now = start = 10**15
    passed = 0
    for gap in gaps:
        now += gap
        due, wait, _ = step(limit, due, now)
        passed += wait == 0

    assert passed <= limit.burst + (now - start) // limit.interval_us + 1
    assert passed >= 1
