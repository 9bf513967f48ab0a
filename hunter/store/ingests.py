"""Files of companies taken in: the batch, its refused rows, and companies as leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.errors import NotFound
from hunter.store.database import Connection
from hunter.store.folding import fold
from hunter.store.pages import Page, read_cursor, write_cursor

_REJECT_CHARS: Final = 300


class Company(msgspec.Struct, frozen=True, gc=False):
    """What ingest knows about one company."""

    #: canonical A-label name
    domain: str
    #: the name as people write it (U-label)
    display_name: str
    company_name: str | None = None
    source: str | None = None


class RejectedRow(msgspec.Struct, frozen=True, gc=False):
    """A row of a file that is no company, and why."""

    line: int
    value: str
    reason: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One file or push of companies."""

    batch_id: str
    filename: str | None
    source: str | None
    #: receiving, accepted or failed
    status: str
    row_count: int
    accepted: int
    rejected_count: int
    duplicates: int
    #: encoding, delimiter and columns found in the file
    detected: dict[str, Any] | None
    job_id: str | None
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


_UPSERT: Final[LiteralString] = """
    INSERT INTO lead (domain, display_name, company_name, source, search)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        AS company(domain, display_name, company_name, source, search)
    ORDER BY domain COLLATE "C"
    ON CONFLICT (domain) DO UPDATE SET
        last_seen_at = now(),
        company_name = coalesce(EXCLUDED.company_name, lead.company_name),
        source = coalesce(lead.source, EXCLUDED.source),
        search = CASE WHEN EXCLUDED.company_name IS NULL THEN lead.search ELSE EXCLUDED.search END
    RETURNING (xmax = 0) AS is_new
"""


async def upsert_companies(conn: Connection, companies: Sequence[Company]) -> int:
    """Add companies as leads, or renew what is known of them; how many are new.

    A later company name replaces an earlier one, no name never does. The first source stays.
    """
    # the last one of a domain counts, as if they had come one after the other
    unique = {each.domain: each for each in companies}
    rows = await conn.fetch(
        _UPSERT,
        list(unique),
        [_clean(each.display_name) for each in unique.values()],
        [_clean(each.company_name) for each in unique.values()],
        [_clean(each.source) for each in unique.values()],
        [search_text(c.domain, c.display_name, c.company_name) for c in unique.values()],
    )
    return sum(row["is_new"] for row in rows)


def search_text(domain: str, display_name: str, company_name: str | None = None) -> str:
    """What search looks at: the domain, its readable form when it differs, and the company."""
    parts = [domain, display_name if display_name != domain else "", company_name or ""]
    return fold(" ".join(parts))


def _clean(text: str | None) -> str | None:
    """Text PostgreSQL can hold: no NUL, no lone surrogate."""
    if text is None:
        return None
    return text.replace("\0", "").encode("utf-8", "replace").decode()


_CREATE: Final[LiteralString] = """
    INSERT INTO ingest_batch (id, filename, source, caller, job_id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO NOTHING
"""


async def create_batch(
    conn: Connection,
    batch_id: UUID,
    *,
    filename: str | None,
    source: str | None,
    caller: str,
    job_id: UUID | None = None,
) -> None:
    """A batch in state receiving, with the job that receives its companies."""
    await conn.execute(_CREATE, batch_id, _clean(filename), _clean(source), caller, job_id)


_FINISH: Final[LiteralString] = """
    UPDATE ingest_batch SET status = $2, row_count = $3, accepted = $4, rejected = $5,
        duplicates = $6, detected = $7::jsonb, job_id = $8, reason = $9, finished_at = now()
    WHERE id = $1 AND status = 'receiving'
"""


async def finish_batch(
    conn: Connection,
    batch_id: UUID,
    *,
    row_count: int,
    accepted: int,
    rejected: int,
    duplicates: int,
    detected: Mapping[str, object] | None = None,
    job_id: UUID | None = None,
    failure: str | None = None,
) -> None:
    """Write how a batch came out; with `failure` it failed as a whole.

    What is written stays: after a COMMIT of unknown outcome an accepted batch cannot fail.
    """
    await conn.execute(
        _FINISH,
        batch_id,
        "failed" if failure else "accepted",
        row_count,
        accepted,
        rejected,
        duplicates,
        msgspec.json.encode(detected).decode() if detected is not None else None,
        job_id,
        _clean(failure),
    )


_SWEEP: Final[LiteralString] = """
    UPDATE ingest_batch SET status = 'failed', reason = $1, job_id = NULL, finished_at = now()
    WHERE id IN (
        SELECT b.id FROM ingest_batch b
        WHERE b.status = 'receiving' AND b.created_at < now() - interval '10 minutes'
          AND NOT EXISTS (
              SELECT FROM scan_job j
              WHERE j.id = b.job_id AND j.touched_at > now() - interval '10 minutes'
          )
        ORDER BY b.id LIMIT 100 FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""


async def sweep(conn: Connection) -> int:
    """Fail batches whose upload stood still for ten minutes, at most 100; how many.

    Their process was killed: one that fails by itself says so in its batch.
    """
    reason = "the server stopped while it took the file in; send the file again"
    return len(await conn.fetch(_SWEEP, reason))


_COLUMNS: Final[LiteralString] = """
    id, filename, source, status, row_count, accepted, rejected, duplicates, detected,
    CASE WHEN status = 'accepted' THEN job_id END AS job_id, reason, created_at, finished_at
"""
_GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM ingest_batch WHERE id = $1"  # noqa: S608  # of constants
_GET_OF_JOB: Final[LiteralString] = f"SELECT {_COLUMNS} FROM ingest_batch WHERE job_id = $1"  # noqa: S608  # of constants


async def get_batch(conn: Connection, batch_id: UUID) -> Batch:
    """A batch. Raises NotFound."""
    row = await conn.fetchrow(_GET, batch_id)
    if row is None:
        raise NotFound(f"no ingest batch {batch_id}")
    return _batch(row)


async def batch_of_job(conn: Connection, job_id: UUID) -> Batch:
    """The batch whose companies a job scans. Raises NotFound."""
    row = await conn.fetchrow(_GET_OF_JOB, job_id)
    if row is None:
        raise NotFound(f"no ingest batch of the job {job_id}")
    return _batch(row)


def _batch(row: Mapping[str, Any]) -> Batch:
    return Batch(
        batch_id=str(row["id"]),
        filename=row["filename"],
        source=row["source"],
        status=row["status"],
        row_count=row["row_count"],
        accepted=row["accepted"],
        rejected_count=row["rejected"],
        duplicates=row["duplicates"],
        detected=msgspec.json.decode(row["detected"]) if row["detected"] else None,
        job_id=str(row["job_id"]) if row["job_id"] else None,
        reason=row["reason"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )


_ADD_REJECTS: Final[LiteralString] = """
    INSERT INTO ingest_reject (batch_id, line, value, reason)
    SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[])
    ON CONFLICT (batch_id, line) DO NOTHING
"""


async def add_rejects(conn: Connection, batch_id: UUID, rows: Sequence[RejectedRow]) -> None:
    """Store refused rows; values are cut to 300 characters."""
    await conn.execute(
        _ADD_REJECTS,
        batch_id,
        [row.line for row in rows],
        [(_clean(row.value) or "")[:_REJECT_CHARS] for row in rows],
        [_clean(row.reason) for row in rows],
    )


_REJECTS_PAGE: Final[LiteralString] = """
    SELECT line, value, reason FROM ingest_reject
    WHERE batch_id = $1 AND ($2::integer IS NULL OR line > $2)
    ORDER BY line LIMIT $3
"""


async def rejects_page(
    conn: Connection, batch_id: UUID, after: str | None = None, limit: int = 1000
) -> Page[RejectedRow]:
    """Refused rows of a batch in the order of the file."""
    (line,) = read_cursor("ingest_rejects", after, int)
    rows = await conn.fetch(_REJECTS_PAGE, batch_id, line, limit + 1)
    items = [RejectedRow(row["line"], row["value"], row["reason"]) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, write_cursor("ingest_rejects", items[-1].line) if more else None)
