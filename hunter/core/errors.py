"""Every error a caller can meet, as one short tree.

HunterError
├── InvalidInput        the caller's input is wrong; `errors` names each place
│   ├── InvalidDomain   text that is not a company's domain; `reason` is a code
│   └── InvalidCursor   a cursor that is not of this list and query
├── NotFound            no such thing
├── Conflict            the same key with another request, or a twin still running
├── PreconditionFailed  the thing is not the version the caller has seen
├── LimitExceeded       too large or too many
├── QuotaExceeded       more domains than a key may have scanned a day
├── Unavailable         a dependency is away; try again after `retry_after_s`
└── Misconfigured       settings are wrong; every bad one is listed
"""

from __future__ import annotations

from datetime import datetime


class HunterError(Exception):
    """Hunter could not do this"""


class InvalidInput(HunterError):
    """Invalid request

    `errors` is a tuple of (pointer, detail): a JSON pointer or a place such as "line 7",
    and what is wrong there with how to put it right.
    """

    def __init__(self, detail: str, *, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class InvalidDomain(InvalidInput):
    """Not a company domain

    `reason` is one of the codes in `hunter.core.domain.REASONS`.
    """

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class InvalidCursor(InvalidInput):
    """Invalid cursor"""


class NotFound(HunterError):
    """Not found"""


class Conflict(HunterError):
    """Conflict with an earlier request

    `retry_after_s` is set when the earlier request is still running.
    """

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class PreconditionFailed(HunterError):
    """Precondition failed"""


class LimitExceeded(HunterError):
    """Too large"""


class QuotaExceeded(HunterError):
    """Quota exceeded

    `quota` and `used` are domains of the day that ends at `reset`; `used` without this request.
    """

    def __init__(
        self, detail: str, *, quota: int, used: int, reset: datetime, retry_after_s: int
    ) -> None:
        super().__init__(detail)
        self.quota = quota
        self.used = used
        self.reset = reset
        self.retry_after_s = retry_after_s


class Unavailable(HunterError):
    """Temporarily unavailable"""

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Misconfigured(HunterError):
    """Settings are wrong"""
