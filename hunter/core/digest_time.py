"""When the next digest of a rule is due, by the clock on its own wall."""

from __future__ import annotations

import datetime as dt


def next_digest(now: dt.datetime, hour: int, zone: dt.tzinfo) -> dt.datetime:
    """The next instant after `now` at which it is `hour` o'clock in a time zone, in UTC.

    An hour that a change to summer time leaves out falls on the one after it; one that comes twice
    counts the first time.
    """
    day = now.astimezone(zone).date()
    while (at := _clock(day, hour, zone)) <= now:
        day += dt.timedelta(days=1)
    return at


def digest_day(due: dt.datetime, zone: dt.tzinfo) -> dt.date:
    """The day, where the rule lives, on which a digest is due."""
    return due.astimezone(zone).date()


def _clock(day: dt.date, hour: int, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), zone).astimezone(dt.UTC)
