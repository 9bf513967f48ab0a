"""The generic cell rate algorithm: how many requests come when, with one number for each caller."""

from __future__ import annotations

import msgspec

MINUTE_US = 60_000_000


class Limit(msgspec.Struct, frozen=True):
    """So many requests a minute, and so many of them at once."""

    per_minute: int
    burst: int

    @property
    def interval_us(self) -> int:
        """Microseconds that one request uses up."""
        return max(1, MINUTE_US // self.per_minute)

    @property
    def span_us(self) -> int:
        """Microseconds that the whole burst uses up, and in which it comes back."""
        return self.interval_us * self.burst


class Verdict(msgspec.Struct, frozen=True):
    """Whether a request may pass, and what the caller has left."""

    is_allowed: bool
    #: requests that may come at once now
    remaining: int
    #: seconds until the whole burst is there again
    reset_s: float
    #: seconds until the next request may pass; 0 when it may now
    retry_s: float


def verdict(limit: Limit, wait_us: int, ahead_us: int) -> Verdict:
    """What `step` found, in the caller's words."""
    left = max(0, limit.span_us - ahead_us) // limit.interval_us
    return Verdict(wait_us <= 0, left, ahead_us / 1e6, max(0, wait_us) / 1e6)


def step(limit: Limit, due_us: int, now_us: int) -> tuple[int, int, int]:
    """One request at `now_us`: (due, wait, ahead), all in microseconds.

    `due` is when everything that passed so far is paid off; it is the only state, and grows when
    the request passes. `wait` is 0 when it does, else how long until one would.
    """
    due_us = min(max(due_us, now_us), now_us + limit.span_us)
    later = due_us + limit.interval_us
    wait_us = later - now_us - limit.span_us
    if wait_us > 0:
        return due_us, wait_us, due_us - now_us
    return later, 0, later - now_us
