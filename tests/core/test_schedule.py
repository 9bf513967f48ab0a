"""A lead comes due by its priority, at a moment of its own."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.schedule import Watch, next_scan_at

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
WATCH = Watch()
DAY = dt.timedelta(days=1)


def _wait(domain: str = "contoso.com", priority: int = 1, **how: float | bool) -> dt.timedelta:
    return next_scan_at(domain, priority, NOW, WATCH, **how) - NOW  # type: ignore[arg-type]  # two kinds of options in one mapping


@given(st.text(min_size=1, max_size=253), st.integers(1, 6))
def test_a_lead_is_due_a_tenth_around_the_days_of_its_priority(name: str, priority: int) -> None:
    days = WATCH.days[priority - 1]

    assert 0.9 * days * DAY <= _wait(name, priority) <= 1.1 * days * DAY
    assert _wait(name, priority) == _wait(name, priority), "by its name alone"


def test_leads_scanned_together_do_not_come_due_together() -> None:
    """A thousand names spread over the fifth of a day between the earliest and the latest."""
    waits = sorted(_wait(f"d{number}.example") for number in range(1000))
    hours = [sum(low <= each < low + DAY / 100 for each in waits) for low in _hundredths()]

    assert len(set(waits)) > 990
    assert min(hours) > 10
    assert max(hours) < 100


def _hundredths() -> list[dt.timedelta]:
    return [0.9 * DAY + number * DAY / 100 for number in range(20)]


@pytest.mark.parametrize(("priority", "days"), [(1, 1), (2, 1), (6, 1)])
def test_a_lead_that_went_unanswered_is_tried_the_next_day_at_the_latest(
    priority: int, days: float
) -> None:
    wait = _wait(priority=priority, is_unknown=True)

    assert 0.9 * days * DAY <= wait <= 1.1 * days * DAY
    often = Watch(days=(0.5, 3, 7, 14, 30, 90), unknown_days=1)
    assert next_scan_at("contoso.com", 1, NOW, often, is_unknown=True) - NOW < 0.56 * DAY


def test_a_second_look_comes_when_it_can_tell_something_and_never_after_the_next_scan() -> None:
    assert _wait(priority=6, again_s=600.0) == dt.timedelta(minutes=10)
    assert _wait(priority=6, again_s=0.0) == dt.timedelta()
    assert _wait(priority=1, again_s=1e6) == _wait(priority=1)
