"""Messages are tried for three days and given up then; endpoints that fail are left alone for minutes."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from hunter.core.channels import Outcome
from hunter.core.digest_time import digest_day, next_digest
from hunter.core.ladder import (
    BREAKER_FROM,
    EXPIRES_S,
    LONGEST_ASKED_S,
    STEPS_S,
    next_try_s,
    open_for_s,
)

HOUR_S = 3600.0


def test_the_ladder_is_about_three_days_long() -> None:
    longest = sum(next_try_s(n, Outcome.STATUS, 1.0) or 0 for n in range(1, 20))
    middle = sum(next_try_s(n, Outcome.STATUS, 0.5) or 0 for n in range(1, 20))

    assert abs(middle - 72 * HOUR_S) < HOUR_S
    assert longest > EXPIRES_S > middle
    assert next_try_s(len(STEPS_S) + 1, Outcome.STATUS, 0.5) is None


@given(st.integers(1, 30), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_step_has_jitter_and_what_was_asked_for_within_bounds(
    attempts: int, chance: float, asked_s: float | None
) -> None:
    found = next_try_s(attempts, Outcome.THROTTLED, chance, asked_s)

    if attempts > len(STEPS_S):
        assert found is None
        return
    step = STEPS_S[attempts - 1]
    assert found is not None
    assert found >= 0.8 * step * 0.999
    assert found >= min(asked_s or 0, LONGEST_ASKED_S)
    assert found <= max(1.201 * step, LONGEST_ASKED_S)


def test_what_is_final_is_not_tried_again() -> None:
    assert next_try_s(1, Outcome.GONE, 0.5) is None
    assert next_try_s(1, Outcome.REFUSED, 0.5) is None
    assert next_try_s(1, Outcome.DEFERRED, 0.5) is not None


def test_a_breaker_opens_from_the_fifth_failure_and_never_for_long() -> None:
    opened = [open_for_s(n, Outcome.TIMEOUT) for n in range(1, 3000)]

    assert opened[: BREAKER_FROM - 1] == [None] * (BREAKER_FROM - 1)
    times = [each for each in opened[BREAKER_FROM - 1 :] if each is not None]
    assert (times[0], times == sorted(times), times[-1]) == (30.0, True, 600.0)
    assert open_for_s(50, Outcome.REFUSED) is None
    assert open_for_s(0, Outcome.THROTTLED, 90.0) == 90.0


def test_a_digest_comes_at_its_hour_where_the_rule_lives() -> None:
    istanbul, berlin = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin")
    noon = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)

    assert next_digest(noon, 9, istanbul) == dt.datetime(2026, 11, 21, 6, tzinfo=dt.UTC)
    assert next_digest(noon, 18, istanbul) == dt.datetime(2026, 11, 20, 15, tzinfo=dt.UTC)
    # the night to summer time has no 2 o'clock; the night back has two
    spring = dt.datetime(2027, 3, 27, 22, tzinfo=dt.UTC)
    assert next_digest(spring, 2, berlin) == dt.datetime(2027, 3, 28, 1, tzinfo=dt.UTC)
    autumn = dt.datetime(2026, 10, 24, 22, tzinfo=dt.UTC)
    assert next_digest(autumn, 2, berlin) == dt.datetime(2026, 10, 25, 0, tzinfo=dt.UTC)


@given(
    st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001  # hypothesis wants them so
    st.integers(0, 23),
    st.sampled_from(
        ["UTC", "Europe/Istanbul", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]
    ),
)
def test_digests_are_a_day_apart_and_never_of_one_day_twice(
    now: dt.datetime, hour: int, name: str
) -> None:
    zone = ZoneInfo(name)

    first = next_digest(now, hour, zone)
    second = next_digest(first, hour, zone)

    assert now < first < second
    assert dt.timedelta(hours=22) < second - first <= dt.timedelta(hours=49)
    assert digest_day(first, zone) < digest_day(second, zone)
