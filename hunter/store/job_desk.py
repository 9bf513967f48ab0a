"""Jobs as whoever runs Hunter sees them: what waits, since when, and what was given up and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.store.database import Connection
from hunter.store.pages import Page, read_cursor, write_cursor

#: given-up domains listed of each job
_SHOWN_DEAD: Final = 10


class Dead(msgspec.Struct, frozen=True):
    """A domain that was given up."""

    domain: str
    reason: str


class JobDesk(msgspec.Struct, frozen=True, kw_only=True):
    """One job of any lane, and the state of its chunks."""

    job_id: str
    #: receiving, pending, running, completed or cancelled
    status: str
    lane: str
    depth: str
    caller: str
    total: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    redrive_of: str | None
    #: chunks by state; of a finished job the dead only
    ready: int
    leased: int
    done: int
    dead: int
    #: seconds that the oldest claimable chunk has waited since it was stored; null: none waits
    oldest_ready_s: float | None
    #: leases lost and exceptions so far, of open chunks
    losses: int
    failures: int
    #: what does not add up; null or 0 when all does
    mismatch: int | None
    #: the first ten
    dead_domains: list[Dead]


_LIST: Final[LiteralString] = """
    SELECT j.id, j.status, j.lane, j.depth, j.caller, j.total, j.created_at, j.started_at,
        j.finished_at, j.redrive_of, j.mismatch, c.ready, c.leased, c.done, d.dead, c.oldest_ready_s,
        c.losses, c.failures, d.dead_domains
    FROM (
        SELECT * FROM scan_job
        WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR lane = $2)
          AND ($3::uuid IS NULL OR id < $3)
          AND (NOT $4 OR EXISTS (
              SELECT FROM scan_chunk WHERE job_id = scan_job.id AND state = 'dead'
          ))
        ORDER BY id DESC LIMIT $5
    ) j LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'ready') AS ready,
            count(*) FILTER (WHERE state = 'leased') AS leased,
            count(*) FILTER (WHERE state = 'done') AS done,
            extract(epoch FROM now() - min(created_at) FILTER (
                WHERE state = 'ready' AND not_before <= now()
            ))::float8 AS oldest_ready_s,
            coalesce(sum(losses) FILTER (WHERE state IN ('ready', 'leased')), 0) AS losses,
            coalesce(sum(failures) FILTER (WHERE state IN ('ready', 'leased')), 0) AS failures
        FROM scan_chunk WHERE job_id = j.id AND j.finished_at IS NULL
    ) c ON true LEFT JOIN LATERAL (
        SELECT (SELECT count(*) FROM scan_chunk WHERE job_id = j.id AND state = 'dead') AS dead, (
            SELECT json_agg(json_build_object('domain', domains[1], 'reason', reason)) FROM (
                SELECT domains, reason FROM scan_chunk WHERE job_id = j.id AND state = 'dead'
                ORDER BY id LIMIT $6
            ) first
        ) AS dead_domains
    ) d ON true
    ORDER BY j.id DESC
"""
_dead_of: Final = msgspec.json.Decoder(list[Dead]).decode


async def page(
    conn: Connection,
    *,
    status: str | None,
    lane: str | None,
    has_dead: bool,
    after: str | None,
    limit: int,
) -> Page[JobDesk]:
    """Jobs of every lane and state, newest first."""
    kind = f"desk:{status}:{lane}:{has_dead}"
    (key,) = read_cursor(kind, after, UUID)
    rows = await conn.fetch(_LIST, status, lane, key, has_dead, limit + 1, _SHOWN_DEAD)
    items = [_desk(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, write_cursor(kind, items[-1].job_id) if more else None)


def _desk(row: Any) -> JobDesk:  # a Record reads by name
    special = {"job_id", "redrive_of", "dead_domains", "oldest_ready_s"}
    plain = {name: row[name] for name in JobDesk.__struct_fields__ if name not in special}
    waited_s = row["oldest_ready_s"]
    return JobDesk(
        **plain,
        job_id=str(row["id"]),
        redrive_of=str(row["redrive_of"]) if row["redrive_of"] else None,
        dead_domains=_dead_of(row["dead_domains"]) if row["dead_domains"] else [],
        oldest_ready_s=None if waited_s is None else round(waited_s, 3),
    )
