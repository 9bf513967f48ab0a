"""Jobs finished: completed when results and dead domains are the total, and the books kept on it."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

from hunter.store.database import LONG_S, Connection

_FINISHABLE: Final[LiteralString] = """
    SELECT id FROM scan_job j
    WHERE status IN ('pending', 'running')
      AND (audited_at IS NULL OR audited_at < now() - interval '10 seconds')
      AND NOT EXISTS (
          SELECT FROM scan_chunk WHERE job_id = j.id AND state IN ('ready', 'leased')
      )
    ORDER BY id LIMIT 20
"""


async def finishable(conn: Connection) -> list[UUID]:
    """Jobs none of whose chunks is open any more."""
    return [row["id"] for row in await conn.fetch(_FINISHABLE)]


_LOCK_UNFINISHED: Final[LiteralString] = """
    SELECT id FROM scan_job j
    WHERE id = $1 AND status IN ('pending', 'running')
      AND NOT EXISTS (
          SELECT FROM scan_chunk WHERE job_id = j.id AND state IN ('ready', 'leased')
      )
    FOR UPDATE SKIP LOCKED
"""
_FINISH: Final[LiteralString] = """
    WITH sums AS (
        SELECT coalesce(sum(n_ok), 0) AS n_ok, coalesce(sum(n_failed), 0) AS n_failed,
               coalesce(sum(n_unknown), 0) AS n_unknown,
               coalesce(sum(size) FILTER (WHERE state = 'dead'), 0) AS n_dead
        FROM scan_chunk WHERE job_id = $1
    ), recorded AS (
        SELECT count(*) AS n FROM scan_result WHERE job_id = $1
    ), audit AS (
        SELECT sums.*, recorded.n + sums.n_dead = j.total
            AND sums.n_ok + sums.n_failed + sums.n_unknown = recorded.n AS adds_up,
            j.total - recorded.n - sums.n_dead AS missing
        FROM scan_job j, sums, recorded WHERE j.id = $1
    )
    UPDATE scan_job SET
        audited_at = now(),
        -- equal totals over unequal counts are a mismatch as well
        mismatch = CASE WHEN audit.adds_up THEN 0 WHEN audit.missing <> 0 THEN audit.missing ELSE -1 END,
        status = CASE WHEN audit.adds_up THEN 'completed' ELSE status END,
        finished_at = CASE WHEN audit.adds_up THEN now() END,
        started_at = coalesce(started_at, now()),
        n_ok = CASE WHEN audit.adds_up THEN audit.n_ok ELSE 0 END,
        n_failed = CASE WHEN audit.adds_up THEN audit.n_failed ELSE 0 END,
        n_unknown = CASE WHEN audit.adds_up THEN audit.n_unknown ELSE 0 END,
        n_dead = CASE WHEN audit.adds_up THEN audit.n_dead ELSE 0 END
    FROM audit
    WHERE scan_job.id = $1
    RETURNING status, mismatch
"""


async def finish(conn: Connection, job_id: UUID) -> str | None:
    """Complete a job with no open chunk, inside a transaction; its status, None when not ours to do.

    Completed means that recorded results and dead domains are the total. A job whose counts do
    not add up stays open with `mismatch` set, and is looked at again every ten seconds.
    """
    if await conn.fetchval(_LOCK_UNFINISHED, job_id) is None:
        return None
    row = await conn.fetchrow(_FINISH, job_id, timeout=LONG_S)
    return None if row is None else str(row["status"])


_MISMATCHED: Final[LiteralString] = """
    SELECT (SELECT count(*) FROM scan_job WHERE mismatch <> 0) + (
        SELECT count(*) FROM scan_job j
        WHERE status IN ('pending', 'running') AND total <> (
            SELECT coalesce(sum(size), 0) FROM scan_chunk
            WHERE job_id = j.id AND state <> 'split'
        )
    ) AS n
"""


async def mismatched(conn: Connection) -> int:
    """Jobs whose counts do not add up: finished ones by results, open ones by chunks. Must be 0."""
    return int(await conn.fetchval(_MISMATCHED, timeout=LONG_S))
