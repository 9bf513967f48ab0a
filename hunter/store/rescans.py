"""Leads chosen to be scanned again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, LiteralString

import msgspec

from hunter.core.answers import Depth
from hunter.store.database import LONG_S, Connection, Database

_DEPTH: Final[LiteralString] = "SELECT coalesce(scan_depth, 'quick') FROM lead WHERE domain = $1"
_MATCHING: Final[LiteralString] = """
    SELECT domain FROM lead
    WHERE ($1::text IS NULL OR segment = $1) AND ($2::text IS NULL OR provider = $2)
      AND ($3::smallint IS NULL OR priority = $3)
      AND ($4::timestamptz IS NULL OR last_scanned_at IS NULL OR last_scanned_at < $4)
      AND domain > $5
    ORDER BY domain LIMIT $6
"""


async def depth_of(conn: Connection, domain: str) -> Depth:
    """How deep a lead was scanned so far; quick without a scan."""
    return Depth(await conn.fetchval(_DEPTH, domain) or Depth.QUICK)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which leads; None matches any."""

    segment: str | None = None
    provider: str | None = None
    priority: int | None = None
    #: those not scanned since
    scanned_before: datetime | None = None


async def matching(db: Database, wanted: Wanted, *, size: int) -> AsyncIterator[list[str]]:
    """Names of the leads that match, in order, in lists of `size` and a last shorter one.

    Each list is a short read of its own: the memory is that of one, however many match.
    """
    after = ""
    while True:
        async with db.acquire() as conn:
            rows = await conn.fetch(
                _MATCHING,
                wanted.segment,
                wanted.provider,
                wanted.priority,
                wanted.scanned_before,
                after,
                size,
                timeout=LONG_S,
            )
        if rows:
            yield [row["domain"] for row in rows]
        if len(rows) < size:
            return
        after = rows[-1]["domain"]
