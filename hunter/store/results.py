"""What each scan said about each domain, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.errors import NotFound
from hunter.core.judgement import Judgement
from hunter.store.database import Connection
from hunter.store.pages import Page, read_cursor, write_cursor

_judgement_of: Final = msgspec.json.Decoder(Judgement).decode


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One domain of a job: `judgement` is None only when Hunter itself failed, for `reason`."""

    domain: str
    company_name: str | None
    #: ok, unknown or failed
    outcome: str
    reason: str | None
    scanned_at: datetime
    judgement: Judgement | None


class NewResult(msgspec.Struct, frozen=True, gc=False):
    """A result to be written; JSON as text, ready to store."""

    domain: str
    outcome: str
    reason: str | None
    judgement: str | None
    #: this scan's own answers, None when they are the observation's
    survey: str | None
    observation_id: UUID | None


_COLUMNS: Final = (
    "job_id",
    "domain",
    "outcome",
    "reason",
    "scanned_at",
    "judgement",
    "survey",
    "observation_id",
)


async def add(
    conn: Connection, job_id: UUID, scanned_at: datetime, results: Sequence[NewResult]
) -> None:
    """Write the results of a chunk by COPY. A second result of a domain in a job is refused."""
    await conn.copy_records_to_table(
        "scan_result",
        columns=_COLUMNS,
        records=[
            (
                job_id,
                r.domain,
                r.outcome,
                r.reason,
                scanned_at,
                r.judgement,
                r.survey,
                r.observation_id,
            )
            for r in results
        ],
    )


_EXISTS: Final[LiteralString] = "SELECT id FROM scan_job WHERE id = $1 AND status <> 'receiving'"
_PAGE: Final[LiteralString] = """
    SELECT r.domain, l.company_name, r.outcome, r.reason, r.scanned_at, r.judgement
    FROM (
        (
            SELECT domain, outcome, reason, scanned_at, judgement FROM scan_result
            WHERE job_id = $1 AND ($2::text IS NULL OR domain > $2)
            ORDER BY domain LIMIT $3
        )
        UNION ALL
        (   -- domains given up have no row of their own: a dead chunk is a single domain
            SELECT domains[1] COLLATE "C" AS domain, 'failed', reason, done_at, NULL FROM scan_chunk
            WHERE job_id = $1 AND state = 'dead'
              AND ($2::text IS NULL OR domains[1] COLLATE "C" > $2)
            ORDER BY domain LIMIT $3
        )
        ORDER BY domain LIMIT $3
    ) r LEFT JOIN lead l USING (domain)
    ORDER BY r.domain
"""


async def results_page(
    conn: Connection, job_id: UUID, after: str | None = None, limit: int = 100
) -> Page[Result]:
    """Results of a job by domain, as far as they are there, given-up ones too. Raises NotFound."""
    if await conn.fetchval(_EXISTS, job_id) is None:
        raise NotFound(f"no scan job {job_id}")
    (domain,) = read_cursor("results", after, str)
    rows = await conn.fetch(_PAGE, job_id, domain, limit + 1)
    items = [result_from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, write_cursor("results", items[-1].domain) if more else None)


def result_from_row(row: Mapping[str, Any]) -> Result:
    """A row with the columns of `Result`, decoded."""
    return Result(
        domain=row["domain"],
        company_name=row["company_name"],
        outcome=row["outcome"],
        reason=row["reason"],
        scanned_at=row["scanned_at"],
        judgement=_judgement_of(row["judgement"]) if row["judgement"] else None,
    )
