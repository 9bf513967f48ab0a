"""When a message that was not taken is tried again, when it is given up, and when an endpoint is left alone."""

from __future__ import annotations

from typing import Final

from hunter.core.channels import FINAL, NOT_ITS_FAULT, Outcome

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
#: seconds after the first try, the second, …; together three days
STEPS_S: Final = (
    5.0,
    30.0,
    2 * _MINUTE_S,
    10 * _MINUTE_S,
    30 * _MINUTE_S,
    _HOUR_S,
    2 * _HOUR_S,
    4 * _HOUR_S,
    8 * _HOUR_S,
    12 * _HOUR_S,
    20 * _HOUR_S,
    24 * _HOUR_S,
)
#: a fifth shorter or longer, so that what failed together does not come back together
_SPREAD: Final = 0.2
#: what an endpoint asks for is honoured so far (HTTP Retry-After)
LONGEST_ASKED_S: Final = 6 * _HOUR_S
#: a message that still waits after so long, behind a breaker or a switched-off endpoint, is given up
EXPIRES_S: Final = 84 * _HOUR_S

#: so many failures in a row open a breaker
BREAKER_FROM: Final = 5
_FIRST_OPEN_S: Final = 30.0
_LONGEST_OPEN_S: Final = 10 * _MINUTE_S


def next_try_s(
    attempts: int, outcome: Outcome, chance: float, asked_s: float | None = None
) -> float | None:
    """Seconds until the next try after `attempts` of them; None when there is none.

    `chance` is from 0 to 1. What the endpoint asked for lengthens a step and never shortens it.
    """
    if outcome in FINAL or attempts > len(STEPS_S):
        return None
    step_s = STEPS_S[attempts - 1] * (1 + _SPREAD * (2 * chance - 1))
    return max(step_s, min(asked_s or 0.0, LONGEST_ASKED_S))


def open_for_s(failures: int, outcome: Outcome, asked_s: float | None = None) -> float | None:
    """Seconds for which nothing is sent to an endpoint after its `failures` in a row; None: go on.

    One that asks to be left alone is, without having failed.
    """
    if outcome is Outcome.THROTTLED:
        return min(asked_s, LONGEST_ASKED_S) if asked_s else None
    if outcome in NOT_ITS_FAULT or failures < BREAKER_FROM:
        return None
    # the exponent is bounded: a count of failures grows for as long as an endpoint is dead
    return min(_FIRST_OPEN_S * 2.0 ** min(failures - BREAKER_FROM, 10), _LONGEST_OPEN_S)
