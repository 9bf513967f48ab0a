"""Redrive: the domains on which a job failed, once more, as a job of its own."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

from hunter.core.errors import Conflict, NotFound
from hunter.store.chunks import PAYLOAD_VERSION
from hunter.store.database import LONG_S, Connection

_LOCK: Final[LiteralString] = """
    SELECT status FROM scan_job WHERE id = $1 AND status <> 'receiving' FOR UPDATE
"""
_UNFINISHED: Final[LiteralString] = """
    SELECT id FROM scan_job
    WHERE redrive_of = $1 AND (id = $2 OR status IN ('pending', 'running'))
    ORDER BY id DESC LIMIT 1
"""
_CREATE: Final[LiteralString] = """
    INSERT INTO scan_job (id, lane, depth, caller, status, accepted_at, redrive_of, payload_version)
    SELECT $2, lane, depth, $3, 'pending', now(), id, $4 FROM scan_job WHERE id = $1
"""
_FILL: Final[LiteralString] = """
    WITH wanted AS (
        SELECT domain FROM scan_result WHERE job_id = $1 AND outcome = 'failed'
          -- not what stands where a deleted name stood
          AND position('.' IN domain) > 0
        UNION ALL
        SELECT domains[1] FROM scan_chunk
        WHERE job_id = $1 AND state = 'dead' AND position('.' IN domains[1]) > 0
    ), added AS (
        INSERT INTO scan_chunk (job_id, lane, domains)
        SELECT $2, (SELECT lane FROM scan_job WHERE id = $1), array_agg(domain ORDER BY domain)
        FROM (
            SELECT domain, (row_number() OVER (ORDER BY domain) - 1) / $3::integer AS part FROM wanted
        ) w
        GROUP BY part ORDER BY part
        RETURNING size
    )
    UPDATE scan_job SET total = (SELECT coalesce(sum(size), 0) FROM added)
    WHERE id = $2 RETURNING total
"""


async def redrive(
    conn: Connection, job_id: UUID, *, new_id: UUID, caller: str, chunk_size: int
) -> UUID:
    """Make a job of the domains that failed or were given up in a finished one; its id.

    Run inside a transaction. While an earlier redrive of the job is open, that one is the answer,
    so asking twice is harmless. Raises NotFound, and Conflict when the job is not finished or
    nothing failed.
    """
    status = await conn.fetchval(_LOCK, job_id)
    if status is None:
        raise NotFound(f"no scan job {job_id}")
    if status not in {"completed", "cancelled"}:
        raise Conflict("the job still runs: redrive it once it is completed or cancelled")
    earlier: UUID | None = await conn.fetchval(_UNFINISHED, job_id, new_id)
    if earlier is not None:
        return earlier
    await conn.execute(_CREATE, job_id, new_id, caller, PAYLOAD_VERSION)
    if not await conn.fetchval(_FILL, job_id, new_id, chunk_size, timeout=LONG_S):
        raise Conflict("no domain of the job failed: there is nothing to redrive")
    return new_id
