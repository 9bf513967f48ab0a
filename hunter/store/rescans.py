"""Leads chosen to be scanned again."""

from __future__ import annotations

from datetime import datetime
from typing import Final, LiteralString

from hunter.core.answers import Depth
from hunter.store.database import LONG_S, Connection

_DEPTH: Final[LiteralString] = "SELECT coalesce(scan_depth, 'quick') FROM lead WHERE domain = $1"
_MATCHING: Final[LiteralString] = """
    SELECT domain FROM lead
    WHERE ($1::text IS NULL OR segment = $1) AND ($2::text IS NULL OR provider = $2)
      AND ($3::smallint IS NULL OR priority = $3)
      AND ($4::timestamptz IS NULL OR last_scanned_at IS NULL OR last_scanned_at < $4)
    ORDER BY domain LIMIT $5
"""


async def depth_of(conn: Connection, domain: str) -> Depth:
    """How deep a lead was scanned so far; quick without a scan."""
    return Depth(await conn.fetchval(_DEPTH, domain) or Depth.QUICK)


async def matching(
    conn: Connection,
    *,
    segment: str | None,
    provider: str | None,
    priority: int | None,
    scanned_before: datetime | None,
    limit: int,
) -> list[str]:
    """Names of the leads that match, at most `limit`; None matches anything."""
    rows = await conn.fetch(
        _MATCHING, segment, provider, priority, scanned_before, limit, timeout=LONG_S
    )
    return [row["domain"] for row in rows]
