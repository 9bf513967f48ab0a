"""Leases that ran out: found by whoever lives, and taken over without a hint."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

from hunter.store.chunks import FAILURES_MAX, LOSSES_MAX, PAYLOAD_VERSION, Claim, claim
from hunter.store.database import Connection

# What has cost workers before is left out: it is halved soon (poison.py), or its turn comes by a
# hint. After an outage of PostgreSQL the holders get so many seconds to extend what ran out in it.
_EXPIRED: Final[LiteralString] = """
    SELECT c.id FROM scan_chunk c JOIN scan_job j ON j.id = c.job_id
    WHERE c.state = 'leased' AND c.lease_until < now() AND c.lane = $1
      AND j.status IN ('pending', 'running') AND j.payload_version <= $2
      AND c.failures < $4 AND (c.losses + 1 < $3 OR c.size = 1 AND NOT c.alone)
      AND greatest(
          pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time()
      ) < now() - make_interval(secs => $5::float8)
    ORDER BY c.lease_until LIMIT $6
    FOR UPDATE OF c SKIP LOCKED
"""


async def expired(conn: Connection, lane: str, *, spare_s: float, limit: int) -> list[int]:
    """Chunks of a lane whose holder let them go, locked until the transaction ends.

    None in the first `spare_s` seconds of a PostgreSQL that was away.
    """
    rows = await conn.fetch(
        _EXPIRED, lane, PAYLOAD_VERSION, LOSSES_MAX, FAILURES_MAX, spare_s, limit
    )
    return [row["id"] for row in rows]


async def claim_expired(
    conn: Connection, lane: str, *, worker_id: UUID, lease_s: float, spare_s: float
) -> Claim | None:
    """Claim the chunk of a lane whose lease ran out first, inside a transaction."""
    for chunk_id in await expired(conn, lane, spare_s=spare_s, limit=1):
        return await claim(conn, chunk_id, worker_id=worker_id, lease_s=lease_s)
    return None
