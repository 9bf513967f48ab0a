"""What has been kept long enough: results by the month, everything else a bounded number of rows at a time."""

from __future__ import annotations

from typing import Final, LiteralString

from hunter.store.database import LONG_S, Connection

#: any number, the same in every process: whoever holds it deletes
_LOCK_KEY: Final = 7_201_133_907
_AT_ONCE: Final = 2000
_TRY_LOCK: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock($1)"
_RESULTS: Final[LiteralString] = (
    "SELECT drop_scan_result_partitions(now() - make_interval(days => $1))"
)
#: chunks of a finished job: the job keeps their sums
_CHUNKS: Final[LiteralString] = """
    WITH old AS (
        SELECT c.id FROM scan_job j JOIN scan_chunk c ON c.job_id = j.id
        WHERE j.finished_at < now() - make_interval(days => $1) LIMIT $2
    ), gone AS (
        DELETE FROM scan_chunk WHERE id IN (SELECT id FROM old) RETURNING 1
    ) SELECT count(*) FROM gone
"""
_REJECTS: Final[LiteralString] = """
    WITH old AS (
        SELECT r.job_id, r.line FROM scan_job j JOIN scan_reject r ON r.job_id = j.id
        WHERE j.finished_at < now() - make_interval(days => $1) LIMIT $2
    ), gone AS (
        DELETE FROM scan_reject WHERE (job_id, line) IN (SELECT job_id, line FROM old) RETURNING 1
    ) SELECT count(*) FROM gone
"""
_BATCH_REJECTS: Final[LiteralString] = """
    WITH old AS (
        SELECT r.batch_id, r.line FROM ingest_batch b JOIN ingest_reject r ON r.batch_id = b.id
        WHERE b.finished_at < now() - make_interval(days => $1) LIMIT $2
    ), gone AS (
        DELETE FROM ingest_reject WHERE (batch_id, line) IN (SELECT batch_id, line FROM old)
        RETURNING 1
    ) SELECT count(*) FROM gone
"""
#: without chunks and rejects, which were deleted before: one row each
_JOBS: Final[LiteralString] = """
    WITH old AS (
        SELECT id FROM scan_job j WHERE finished_at < now() - make_interval(days => $1)
          AND NOT EXISTS (SELECT FROM scan_chunk WHERE job_id = j.id)
          AND NOT EXISTS (SELECT FROM scan_reject WHERE job_id = j.id)
        LIMIT $2
    ), gone AS (
        DELETE FROM scan_job WHERE id IN (SELECT id FROM old) RETURNING 1
    ) SELECT count(*) FROM gone
"""
_CHANGES: Final[LiteralString] = """
    WITH old AS (
        SELECT id FROM change WHERE at < now() - make_interval(days => $1) LIMIT $2
    ), gone AS (
        DELETE FROM change WHERE id IN (SELECT id FROM old) RETURNING 1
    ) SELECT count(*) FROM gone
"""
_STATEMENTS: Final[dict[str, LiteralString]] = {
    "chunks": _CHUNKS,
    "scan_rejects": _REJECTS,
    "batch_rejects": _BATCH_REJECTS,
    "jobs": _JOBS,
    "changes": _CHANGES,
}
#: kinds of rows that `sweep` deletes, in the order in which they can go
KINDS: Final = tuple(_STATEMENTS)


async def drop_results(conn: Connection, *, days: int) -> int:
    """Drop the months of results that ended so long ago; how many. Somebody else at it: none."""
    if not await conn.fetchval(_TRY_LOCK, _LOCK_KEY):
        return 0
    return int(await conn.fetchval(_RESULTS, days))


async def sweep(conn: Connection, kind: str, *, days: int) -> int:
    """Delete a bounded number of rows of a kind that are older; how many, 0 when none is left.

    The next round deletes more: a backlog never makes a long transaction.
    """
    if not await conn.fetchval(_TRY_LOCK, _LOCK_KEY):
        return 0
    return int(await conn.fetchval(_STATEMENTS[kind], days, _AT_ONCE, timeout=LONG_S))
