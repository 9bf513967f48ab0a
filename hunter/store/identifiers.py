"""Ids of rows: UUIDv7, so that they sort by the time they were made."""

from __future__ import annotations

import os
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A new id (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then chance."""
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | chance
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def uuid7_at(moment: datetime) -> UUID:
    """The least id of an instant: those made since are greater."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
