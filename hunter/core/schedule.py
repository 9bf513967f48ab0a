"""When a lead is scanned again: by its priority, spread over time by its name."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zlib import crc32

import msgspec

_DAY_S: Final = 86_400.0
#: share of an interval by which a scan comes earlier or later
_SPREAD: Final = 0.1


class Watch(msgspec.Struct, frozen=True):
    """How leads are watched."""

    #: days between scans of priorities 1 to 6
    days: tuple[float, ...] = (1, 3, 7, 14, 30, 90)
    #: days until a lead is tried again of which a deciding question went unanswered
    unknown_days: float = 1
    #: seconds until a second look can confirm a change
    confirm_s: float = 600
    #: name servers, "192.0.2.1:53", whose answer confirms what others said at once
    second: frozenset[str] = frozenset()


def next_scan_at(
    domain: str,
    priority: int,
    at: dt.datetime,
    watch: Watch,
    *,
    is_unknown: bool = False,
    again_s: float | None = None,
) -> dt.datetime:
    """When a lead scanned at `at` is due again; `again_s` is when a second look can tell something.

    The same name gives the same moment: leads scanned together do not come due together.
    """
    days = watch.days[priority - 1]
    if is_unknown:
        days = min(days, watch.unknown_days)
    seconds = days * _DAY_S * (1 + _SPREAD * _place(domain))
    if again_s is not None:
        seconds = min(seconds, again_s)
    return at + dt.timedelta(seconds=seconds)


def _place(domain: str) -> float:
    """A number of this name alone, from -1 to 1."""
    return crc32(domain.encode()) / 2**31 - 1
