"""Ids of rows: UUIDv7, so that they sort by the time they were made."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Final
from uuid import UUID

#: the last id's time in 1/4096 of a millisecond
_last: Final = [0]


def uuid7() -> UUID:
    """A new id (RFC 9562 section 5.7): the time in 60 bits, then 62 bits of chance.

    Twelve bits tell the parts of a millisecond, and of this process each id is greater than the one
    before (section 6.2, method 3): what was made later is listed later, in the same millisecond too.
    """
    now = _last[0] = max(time.time_ns() * 4096 // 1_000_000, _last[0] + 1)
    chance = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    milliseconds, part = (now >> 12) & (1 << 48) - 1, now & 0xFFF
    return UUID(int=milliseconds << 80 | 0x7 << 76 | part << 64 | 0x2 << 62 | chance)


def uuid7_at(moment: datetime) -> UUID:
    """The least id of an instant: those made since are greater."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
