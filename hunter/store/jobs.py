"""Scan jobs: received, listed, watched, cancelled and finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.answers import Depth
from hunter.core.errors import Conflict, NotFound
from hunter.store.chunks import PAYLOAD_VERSION
from hunter.store.database import LONG_S, Connection
from hunter.store.identifiers import uuid7_at
from hunter.store.pages import Page, read_cursor, write_cursor


class JobProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is. `processed` = succeeded + failed + unknown."""

    job_id: str
    #: pending, running, completed or cancelled
    status: str
    lane: str
    depth: str
    total: int
    processed: int
    succeeded: int
    #: Hunter itself failed on these, the given-up ones included
    failed: int
    #: a deciding question went unanswered
    unknown: int
    #: 0 to 100
    progress: float
    duplicates: int
    rejected_count: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: the job whose failures this one tries again
    redrive_of: str | None = None

    @property
    def is_finished(self) -> bool:
        """True when nothing will change any more."""
        return self.status in {"completed", "cancelled"}


class Reject(msgspec.Struct, frozen=True, gc=False):
    """A name that is no domain: what was given, why not, and in which line or place of the list."""

    input: str
    reason: str
    line: int


_CREATE: Final[LiteralString] = """
    INSERT INTO scan_job (id, lane, depth, caller, payload_version) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO NOTHING
"""


async def create(conn: Connection, job_id: UUID, *, lane: str, depth: Depth, caller: str) -> None:
    """A job in state receiving, which nobody sees yet."""
    await conn.execute(_CREATE, job_id, lane, depth.value, caller, PAYLOAD_VERSION)


_TOUCH: Final[LiteralString] = """
    UPDATE scan_job SET touched_at = now()
    WHERE id = $1 AND status = 'receiving'
    RETURNING total
"""
_GREW: Final[LiteralString] = """
    UPDATE scan_job SET total = $2, rejected = $3, duplicates = $4 WHERE id = $1
"""


async def touch(conn: Connection, job_id: UUID) -> int:
    """Lock a receiving job and say that its upload lives; how many domains it has so far.

    Raises Conflict when the job was taken away, because another request took the key over.
    """
    total = await conn.fetchval(_TOUCH, job_id)
    if total is None:
        raise Conflict("this upload was given up: it stood still too long, or its key was reused")
    return int(total)


async def grow(
    conn: Connection, job_id: UUID, *, total: int, rejected: int, duplicates: int
) -> None:
    """Write how much of the upload is stored; in the transaction that stores it."""
    await conn.execute(_GREW, job_id, total, rejected, duplicates)


_ACCEPT: Final[LiteralString] = """
    UPDATE scan_job SET
        status = CASE WHEN total = 0 THEN 'completed' ELSE 'pending' END,
        accepted_at = now(),
        finished_at = CASE WHEN total = 0 THEN now() END,
        rejected = $2, duplicates = $3
    WHERE id = $1 AND status = 'receiving'
    RETURNING status
"""
_STATUS: Final[LiteralString] = "SELECT status FROM scan_job WHERE id = $1"


async def status(conn: Connection, job_id: UUID) -> str | None:
    """The state of a job, receiving included; None when there is none."""
    found: str | None = await conn.fetchval(_STATUS, job_id)
    return found


async def accept(conn: Connection, job_id: UUID, *, rejected: int, duplicates: int) -> str:
    """Make a receiving job pending: the COMMIT of this is the acceptance. Gives the status.

    Safe to run again when the outcome of that COMMIT is unknown.
    """
    state = await conn.fetchval(_ACCEPT, job_id, rejected, duplicates)
    if state is None:
        state = await status(conn, job_id)
    if state is None:
        raise Conflict("this upload was given up: it stood still too long, or its key was reused")
    return str(state)


_DROP_RECEIVING: Final[LiteralString] = (
    "DELETE FROM scan_job WHERE id = $1 AND status = 'receiving'"
)


async def drop_receiving(conn: Connection, job_id: UUID) -> None:
    """Delete a job whose upload failed, with all that was stored of it."""
    await conn.execute(_DROP_RECEIVING, job_id, timeout=LONG_S)


_SWEEP_RECEIVING: Final[LiteralString] = """
    DELETE FROM scan_job WHERE id IN (
        SELECT id FROM scan_job
        WHERE status = 'receiving' AND touched_at < now() - make_interval(secs => $1::float8)
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""


async def sweep_receiving(conn: Connection, untouched_s: float) -> int:
    """Delete a job whose upload stood still for so long; how many, which is one or none."""
    return len(await conn.fetch(_SWEEP_RECEIVING, untouched_s, timeout=LONG_S))


_ADD_REJECTS: Final[LiteralString] = """
    INSERT INTO scan_reject (job_id, line, input, reason)
    SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[])
    ON CONFLICT (job_id, line) DO NOTHING
"""


async def add_rejects(conn: Connection, job_id: UUID, rejects: Sequence[Reject]) -> None:
    """Store refused names; `input` is already cut to 300 characters."""
    await conn.execute(
        _ADD_REJECTS,
        job_id,
        [each.line for each in rejects],
        [each.input for each in rejects],
        [each.reason for each in rejects],
    )


_REJECTS_PAGE: Final[LiteralString] = """
    SELECT line, input, reason FROM scan_reject
    WHERE job_id = $1 AND ($2::integer IS NULL OR line > $2)
    ORDER BY line LIMIT $3
"""


async def rejects_page(
    conn: Connection, job_id: UUID, after: str | None = None, limit: int = 1000
) -> Page[Reject]:
    """Refused names of a job in the order of their lines. Raises NotFound."""
    await _require(conn, job_id)
    (line,) = read_cursor("rejects", after, int)
    rows = await conn.fetch(_REJECTS_PAGE, job_id, line, limit + 1)
    items = [Reject(row["input"], row["reason"], row["line"]) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, write_cursor("rejects", items[-1].line) if more else None)


async def _require(conn: Connection, job_id: UUID) -> None:
    if await status(conn, job_id) in {None, "receiving"}:
        raise NotFound(f"no scan job {job_id}")


_COUNTS: Final[LiteralString] = """
    j.id, j.status, j.lane, j.depth, j.total, j.duplicates, j.rejected,
    j.created_at, j.started_at, j.finished_at, j.redrive_of,
    j.n_ok + coalesce(c.n_ok, 0) AS n_ok,
    j.n_failed + j.n_dead + coalesce(c.n_failed, 0) AS n_failed,
    j.n_unknown + coalesce(c.n_unknown, 0) AS n_unknown
"""
#: a finished job carries its sums; those of any other are the sums of its chunks
_SUMS: Final[LiteralString] = """
    LEFT JOIN LATERAL (
        SELECT sum(n_ok) AS n_ok, sum(n_unknown) AS n_unknown,
               sum(n_failed) + coalesce(sum(size) FILTER (WHERE state = 'dead'), 0) AS n_failed
        FROM scan_chunk WHERE job_id = j.id AND j.finished_at IS NULL
    ) c ON true
"""
_PROGRESS: Final[LiteralString] = f"""
    SELECT {_COUNTS} FROM scan_job j {_SUMS}
    WHERE j.id = $1 AND j.status <> 'receiving'
"""  # noqa: S608  # of constants


async def progress(conn: Connection, job_id: UUID) -> JobProgress:
    """How far a job is. Raises NotFound."""
    row = await conn.fetchrow(_PROGRESS, job_id)
    if row is None:
        raise NotFound(f"no scan job {job_id}")
    return _progress_from_row(row)


_LIST: Final[LiteralString] = f"""
    SELECT {_COUNTS}
    FROM (
        SELECT * FROM scan_job
        WHERE status <> 'receiving'
          AND ($1::text IS NULL OR status = $1)
          AND ($2::text IS NULL OR lane = $2)
          AND ($3::uuid IS NULL OR id < $3)
          -- ids begin with the time at which they were made
          AND ($5::uuid IS NULL OR id >= $5) AND ($6::uuid IS NULL OR id < $6)
          AND ($7::uuid IS NULL OR redrive_of = $7)
        ORDER BY id DESC LIMIT $4
    ) j {_SUMS}
    ORDER BY j.id DESC
"""  # noqa: S608  # of constants


async def list_jobs(
    conn: Connection,
    *,
    status: str | None = None,
    lane: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    redrive_of: UUID | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[JobProgress]:
    """Accepted jobs, newest first."""
    kind = f"jobs:{status}:{lane}"
    (key,) = read_cursor(kind, after, UUID)
    first = uuid7_at(created_after) if created_after else None
    last = uuid7_at(created_before) if created_before else None
    rows = await conn.fetch(_LIST, status, lane, key, limit + 1, first, last, redrive_of)
    items = [_progress_from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, write_cursor(kind, items[-1].job_id) if more else None)


def _progress_from_row(row: Mapping[str, Any]) -> JobProgress:
    processed = int(row["n_ok"] + row["n_failed"] + row["n_unknown"])
    total = row["total"]
    # rounded down: 100 is said only when nothing is left
    share = 1000 * processed // total / 10 if total else 100.0
    return JobProgress(
        job_id=str(row["id"]),
        status=row["status"],
        lane=row["lane"],
        depth=row["depth"],
        total=total,
        processed=processed,
        succeeded=int(row["n_ok"]),
        failed=int(row["n_failed"]),
        unknown=int(row["n_unknown"]),
        progress=share,
        duplicates=row["duplicates"],
        rejected_count=row["rejected"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        redrive_of=str(row["redrive_of"]) if row["redrive_of"] else None,
    )


_LOCK: Final[LiteralString] = "SELECT status FROM scan_job WHERE id = $1 FOR UPDATE"
_LOCK_OPEN_CHUNKS: Final[LiteralString] = """
    SELECT id FROM scan_chunk WHERE job_id = $1 AND state IN ('ready', 'leased')
    ORDER BY id FOR UPDATE
"""
_CANCEL_CHUNKS: Final[LiteralString] = """
    UPDATE scan_chunk SET state = 'cancelled', epoch = epoch + 1, lease_until = NULL
    WHERE job_id = $1 AND state IN ('ready', 'leased')
"""
_CANCEL_JOB: Final[LiteralString] = """
    UPDATE scan_job SET status = 'cancelled', finished_at = now(), mismatch = NULL,
        n_ok = c.n_ok, n_failed = c.n_failed, n_unknown = c.n_unknown, n_dead = c.n_dead
    FROM (
        SELECT coalesce(sum(n_ok), 0) AS n_ok, coalesce(sum(n_failed), 0) AS n_failed,
               coalesce(sum(n_unknown), 0) AS n_unknown,
               coalesce(sum(size) FILTER (WHERE state = 'dead'), 0) AS n_dead
        FROM scan_chunk WHERE job_id = $1
    ) c
    WHERE id = $1
"""


async def cancel(conn: Connection, job_id: UUID) -> JobProgress:
    """Stop a job for good; run inside a transaction, after whose COMMIT nothing more is written.

    Every open chunk is locked first, so commits under way end before, and the bumped epochs fence
    out all others. Cancelling twice is harmless. Raises NotFound, and Conflict when it completed.
    """
    state = await conn.fetchval(_LOCK, job_id)
    if state in {None, "receiving"}:
        raise NotFound(f"no scan job {job_id}")
    if state == "completed":
        raise Conflict("the job is already completed")
    if state != "cancelled":
        await conn.fetch(_LOCK_OPEN_CHUNKS, job_id, timeout=LONG_S)
        await conn.execute(_CANCEL_CHUNKS, job_id, timeout=LONG_S)
        await conn.execute(_CANCEL_JOB, job_id, timeout=LONG_S)
    return await progress(conn, job_id)
