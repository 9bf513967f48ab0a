"""Chunks: the unit of claim, lease and fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.answers import Depth
from hunter.store.database import Connection

#: What this build understands of a job and its chunks. During a deploy a newer build may have
#: accepted jobs of a higher version: they are left to the newer workers.
PAYLOAD_VERSION: Final = 1
#: leases lost, or exceptions, after which a chunk is halved, or its one domain runs alone
LOSSES_MAX: Final = 3
FAILURES_MAX: Final = 5


class Claim(msgspec.Struct, frozen=True):
    """A chunk under lease. A write for it commits only while `epoch` is still the chunk's."""

    chunk_id: int
    epoch: int
    job_id: UUID
    lane: str
    depth: Depth
    domains: list[str]
    #: on the database clock: no question of the survey was asked before
    leased_at: datetime
    #: True when the lease was taken over from a worker that let it run out
    was_lost: bool
    #: True when nothing may run beside it: should the process die, it is known over what
    alone: bool = False
    #: asked, watch, or confirm: a change waits for a second look
    purpose: str = "asked"


_ADD: Final[LiteralString] = """
    INSERT INTO scan_chunk (job_id, lane, domains)
    SELECT $1, $2, string_to_array(packed, ' ') FROM unnest($3::text[]) WITH ORDINALITY AS t(packed, n)
    ORDER BY n
    RETURNING id
"""


async def add(
    conn: Connection, job_id: UUID, lane: str, domains: Sequence[Sequence[str]]
) -> list[int]:
    """One chunk per list of names; their ids. PostgreSQL has no ragged arrays, so names are packed."""
    rows = await conn.fetch(_ADD, job_id, lane, [" ".join(each) for each in domains])
    return [row["id"] for row in rows]


_CLAIM: Final[LiteralString] = """
    WITH server AS (
        -- The postmaster outlives a crash of one of its children, after which everybody's sessions
        -- are gone and recovery begins; the statistics do not, and say since when they count.
        SELECT greatest(
            pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time()
        ) AS up_since
    ), before AS (
        SELECT c.id, c.state, j.depth, j.status, j.purpose, c.failures,
            -- a lease that ran out while PostgreSQL itself was away is nobody's fault
            c.losses + (
                c.state = 'leased' AND c.leased_at > up_since
            )::integer AS losses
        FROM scan_chunk c JOIN scan_job j ON j.id = c.job_id CROSS JOIN server
        WHERE c.id = $1 AND j.status IN ('pending', 'running') AND j.payload_version <= $4
          AND (c.state = 'ready' AND c.not_before <= now()
               OR c.state = 'leased' AND c.lease_until < now())
          -- what cost too many workers is halved or given up, see poison.py
          AND NOT (
              (c.failures >= $6 OR c.losses + (
                  c.state = 'leased' AND c.leased_at > up_since
              )::integer >= $5)
              AND (cardinality(c.domains) > 1 OR c.alone AND (
                  c.state = 'ready' OR c.leased_at > up_since
              ))
          )
        FOR UPDATE OF c
    )
    UPDATE scan_chunk c SET
        state = 'leased', epoch = epoch + 1, worker_id = $2, leased_at = now(),
        lease_until = now() + make_interval(secs => $3::float8),
        losses = before.losses,
        alone = before.losses >= $5 OR before.failures >= $6
    FROM before WHERE c.id = before.id
    RETURNING c.id, c.epoch, c.job_id, c.lane, c.domains, c.leased_at, c.alone,
        before.depth, before.status, before.purpose, before.state = 'leased' AS was_lost
"""
_NEXT: Final[LiteralString] = """
    SELECT c.id FROM scan_job j, LATERAL (
        SELECT id FROM scan_chunk c
        WHERE c.job_id = j.id AND c.state IN ('ready', 'leased')
          AND CASE c.state WHEN 'ready' THEN c.not_before <= now() ELSE c.lease_until < now() END
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) c
    WHERE j.lane = $1 AND j.status IN ('pending', 'running') AND j.payload_version <= $2
    ORDER BY j.purpose <> 'asked', j.last_dispatch NULLS FIRST, j.id LIMIT 1
"""
#: somebody waits for each of these: the oldest first, however often it was hinted
_OLDEST: Final[LiteralString] = """
    SELECT c.id FROM scan_job j, LATERAL (
        SELECT id FROM scan_chunk c
        WHERE c.job_id = j.id AND c.state IN ('ready', 'leased')
          AND CASE c.state WHEN 'ready' THEN c.not_before <= now() ELSE c.lease_until < now() END
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) c
    WHERE j.lane = $1 AND j.status IN ('pending', 'running') AND j.payload_version <= $2
    ORDER BY j.id LIMIT 1
"""
_START_JOB: Final[LiteralString] = """
    UPDATE scan_job SET status = 'running', started_at = now() WHERE id = (
        -- never waits: a cancel locks the job first and its chunks then
        SELECT id FROM scan_job WHERE id = $1 AND status = 'pending' FOR UPDATE SKIP LOCKED
    )
"""


_TURN: Final[LiteralString] = """
    UPDATE scan_job SET last_dispatch = clock_timestamp() WHERE id = (
        SELECT id FROM scan_job WHERE id = $1 FOR UPDATE SKIP LOCKED
    )
"""


async def claim(
    conn: Connection, chunk_id: int, *, worker_id: UUID, lease_s: float
) -> Claim | None:
    """Take the lease of a chunk that is ready or whose lease ran out; None when it is not to be had.

    One UPDATE, so of two claims one wins. Every claim bumps the epoch: an earlier holder that
    wakes up finds itself fenced out.
    """
    row = await conn.fetchrow(
        _CLAIM, chunk_id, worker_id, lease_s, PAYLOAD_VERSION, LOSSES_MAX, FAILURES_MAX
    )
    if row is None:
        return None
    if row["status"] == "pending":
        await conn.execute(_START_JOB, row["job_id"])
    return _claim_from_row(row)


async def next_claimable(conn: Connection, lane: str) -> int | None:
    """A chunk of a lane that nobody holds, locked until the transaction ends; None when there is none."""
    query = _OLDEST if lane == "interactive" else _NEXT
    chunk_id: int | None = await conn.fetchval(query, lane, PAYLOAD_VERSION)
    return chunk_id


async def claim_next(
    conn: Connection, lane: str, *, worker_id: UUID, lease_s: float
) -> Claim | None:
    """Claim any chunk of a lane without a hint, inside a transaction: Redis is away.

    Jobs take turns here as they do for hints.
    """
    chunk_id = await next_claimable(conn, lane)
    if chunk_id is None:
        return None
    claimed = await claim(conn, chunk_id, worker_id=worker_id, lease_s=lease_s)
    if claimed is not None:
        await conn.execute(_TURN, claimed.job_id)
    return claimed


def _claim_from_row(row: Mapping[str, Any]) -> Claim:
    return Claim(
        chunk_id=row["id"],
        epoch=row["epoch"],
        job_id=row["job_id"],
        lane=row["lane"],
        depth=Depth(row["depth"]),
        domains=row["domains"],
        leased_at=row["leased_at"],
        was_lost=row["was_lost"],
        alone=row["alone"],
        purpose=row["purpose"],
    )


class Fence(Enum):
    """How a chunk stands to a claim of it."""

    #: ours, and locked until the transaction ends
    HELD = auto()
    #: our own commit ended it already; only its acknowledgement got lost
    DONE = auto()
    #: somebody else's, cancelled, or handed back
    LOST = auto()


_FENCE: Final[LiteralString] = """
    SELECT state FROM scan_chunk WHERE id = $1 AND epoch = $2 AND state IN ('leased', 'done') FOR UPDATE
"""


async def fence(conn: Connection, chunk_id: int, epoch: int) -> Fence:
    """Lock the chunk if it is still ours; in any other case nothing may be written for it."""
    match await conn.fetchval(_FENCE, chunk_id, epoch):
        case "leased":
            return Fence.HELD
        case "done":
            return Fence.DONE
        case _:
            return Fence.LOST


_DONE: Final[LiteralString] = """
    WITH done AS (
        UPDATE scan_chunk SET state = 'done', lease_until = NULL, done_at = now(), reason = NULL,
            n_ok = $3, n_failed = $4, n_unknown = $5, n_known = $6, n_moved = $7, n_silent = $8
        WHERE id = $1 AND epoch = $2 AND state = 'leased'
        RETURNING size
    )
    INSERT INTO kpi_delta (dimension, value, n)
    SELECT 'scans', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD'), size FROM done
"""


async def finish(
    conn: Connection,
    chunk_id: int,
    epoch: int,
    *,
    ok: int,
    failed: int,
    unknown: int,
    known: int = 0,
    moved: int = 0,
    silent: int = 0,
) -> None:
    """Mark a chunk done, in the transaction that writes its results.

    Of the `known` domains, whose mailboxes were known before, some `moved` and some are `silent`.
    """
    await conn.execute(_DONE, chunk_id, epoch, ok, failed, unknown, known, moved, silent)


_GAUGES: Final[LiteralString] = """
    SELECT state, count(*) AS n,
        coalesce(extract(epoch FROM now() - min(greatest(created_at, not_before)))::float8, 0) AS age_s
    FROM scan_chunk c
    WHERE state IN ('ready', 'leased') AND EXISTS (
        SELECT FROM scan_job j WHERE j.id = c.job_id AND j.status IN ('pending', 'running')
    )
    GROUP BY state
    UNION ALL
    SELECT 'dead', count(*), 0 FROM scan_chunk WHERE state = 'dead'
"""


async def counts(conn: Connection) -> tuple[dict[str, int], float]:
    """Open and dead chunks by state, and the age in seconds of the oldest that nobody claimed."""
    rows = await conn.fetch(_GAUGES)
    by_state = {"ready": 0, "leased": 0, "dead": 0} | {row["state"]: row["n"] for row in rows}
    age_s = next((row["age_s"] for row in rows if row["state"] == "ready"), 0.0)
    return by_state, max(0.0, float(age_s))
