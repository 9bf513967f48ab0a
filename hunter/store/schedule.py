"""The schedule: due leads taken up as jobs, the switch over it, and how far scans can be trusted."""

from __future__ import annotations

from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.answers import Depth
from hunter.core.health import Sample, Trust
from hunter.store import chunks, jobs, suppressions
from hunter.store.database import Connection
from hunter.store.identifiers import uuid7

#: any number, the same in every process: whoever holds it takes up what is due
_LOCK_KEY: Final = 7_201_133_906
#: a lead whose scan came to nothing, cancelled or given up, is due again after so long
_AGAIN_S: Final = 86_400.0
CALLER: Final = "schedule"


class Due(msgspec.Struct, frozen=True):
    """A lead taken up."""

    domain: str
    #: True when a change of it waits for a second look
    is_pending: bool
    depth: Depth


_TRY_LOCK: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock($1)"
_OPEN: Final[LiteralString] = """
    SELECT count(*) FROM scan_job j JOIN scan_chunk c ON c.job_id = j.id
    WHERE j.status IN ('pending', 'running') AND j.purpose <> 'asked'
      AND c.state IN ('ready', 'leased')
"""
_IS_PAUSED: Final[LiteralString] = "SELECT paused_at IS NOT NULL FROM schedule"
#: Rows that a commit holds are left to it: it says when they are due. Never waits, so never in a deadlock.
_TAKE: Final[LiteralString] = """
    WITH due AS MATERIALIZED (
        SELECT domain FROM lead WHERE next_scan_at <= now()
        ORDER BY next_scan_at LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE lead SET next_scan_at = now() + make_interval(secs => $2)
    FROM due WHERE lead.domain = due.domain
    RETURNING lead.domain, lead.pending IS NOT NULL AS is_pending,
        coalesce(lead.scan_depth, 'quick') AS depth
"""


async def take_due(conn: Connection, *, open_max: int, chunk_size: int) -> list[UUID]:
    """Turn due leads into jobs, inside a transaction; the jobs. Never more than `open_max` open chunks.

    In the same transaction each lead is moved on, so that none is taken twice; the commit of its
    scan says when it is due again.
    """
    if not await conn.fetchval(_TRY_LOCK, _LOCK_KEY) or await conn.fetchval(_IS_PAUSED):
        return []
    room = open_max - int(await conn.fetchval(_OPEN))
    if room <= 0:
        return []
    await suppressions.wait(conn)
    rows = await conn.fetch(_TAKE, min(room * chunk_size, 5000), _AGAIN_S)
    groups: dict[tuple[bool, Depth], list[str]] = {}
    for row in rows:
        groups.setdefault((row["is_pending"], Depth(row["depth"])), []).append(row["domain"])
    return [
        await _make_job(conn, sorted(domains), depth, chunk_size, is_pending=is_pending)
        for (is_pending, depth), domains in sorted(groups.items())
    ]


_PURPOSE: Final[LiteralString] = "UPDATE scan_job SET purpose = $2, total = $3 WHERE id = $1"


async def _make_job(
    conn: Connection, domains: list[str], depth: Depth, chunk_size: int, *, is_pending: bool
) -> UUID:
    job_id = uuid7()
    await jobs.create(conn, job_id, lane="bulk", depth=depth, caller=CALLER)
    await conn.execute(_PURPOSE, job_id, "confirm" if is_pending else "watch", len(domains))
    pieces = [domains[i : i + chunk_size] for i in range(0, len(domains), chunk_size)]
    await chunks.add(conn, job_id, "bulk", pieces)
    await jobs.accept(conn, job_id, rejected=0, duplicates=0)
    return job_id


class State(msgspec.Struct, frozen=True):
    """The schedule as an operator sees it."""

    paused_at: datetime | None
    #: since when no change is confirmed, because too many companies seem to have moved
    held_at: datetime | None
    #: since when too much goes unanswered
    silent_at: datetime | None
    reason: str | None
    #: until when an operator lets go on what would be held
    released_until: datetime | None
    #: leads due now, counted up to 100,000
    due: int
    #: leads of which a change waits for a second look, counted up to 100,000
    pending: int
    #: chunks of scheduled scans that are not done
    open_chunks: int


_STATE: Final[LiteralString] = f"""
    SELECT paused_at, held_at, silent_at, reason, released_until,
        (SELECT count(*) FROM (
            SELECT FROM lead WHERE next_scan_at <= now() LIMIT 100000
        ) AS d) AS due,
        (SELECT count(*) FROM (
            SELECT FROM lead WHERE pending IS NOT NULL LIMIT 100000
        ) AS p) AS pending,
        ({_OPEN}) AS open_chunks
    FROM schedule
"""  # noqa: S608  # of constants


async def state(conn: Connection) -> State:
    """How the schedule stands."""
    row = await conn.fetchrow(_STATE)
    return State(**dict(row or {}))


_PAUSE: Final[LiteralString] = "UPDATE schedule SET paused_at = coalesce(paused_at, now())"
_RESUME: Final[LiteralString] = "UPDATE schedule SET paused_at = NULL"
_RELEASE: Final[LiteralString] = """
    UPDATE schedule SET held_at = NULL, released_until = now() + make_interval(secs => $1),
        reason = CASE WHEN silent_at IS NULL THEN NULL ELSE reason END
"""


async def pause(conn: Connection) -> None:
    """Take up no due leads; those taken up are scanned."""
    await conn.execute(_PAUSE)


async def resume(conn: Connection) -> None:
    """Take up due leads again."""
    await conn.execute(_RESUME)


async def release(conn: Connection, *, for_s: float) -> None:
    """Confirm changes again, however many there are: an operator has looked."""
    await conn.execute(_RELEASE, for_s)


_SAMPLE: Final[LiteralString] = """
    SELECT coalesce(sum(n_known), 0)::bigint AS known, coalesce(sum(n_moved), 0)::bigint AS moved,
        coalesce(sum(n_silent), 0)::bigint AS silent
    FROM scan_chunk WHERE n_known > 0 AND done_at > now() - make_interval(secs => $1)
"""
_WEIGH: Final[LiteralString] = """
    UPDATE schedule SET
        held_at = CASE WHEN $1 THEN coalesce(held_at, now()) END,
        silent_at = CASE WHEN $2 THEN coalesce(silent_at, now()) END,
        reason = CASE WHEN $1 OR $2 THEN coalesce(nullif($3, ''), reason, 'held') END
    WHERE (held_at IS NOT NULL) <> $1 OR (silent_at IS NOT NULL) <> $2
    RETURNING only_one
"""
_TRUST: Final[LiteralString] = """
    SELECT held_at IS NOT NULL AS is_held, silent_at IS NOT NULL AS is_silent,
        coalesce(released_until > now(), false) AS is_released
    FROM schedule
"""


async def sample(conn: Connection, *, window_s: float) -> Sample:
    """What the scans of the last seconds saw of domains that were known."""
    row = await conn.fetchrow(_SAMPLE, window_s)
    return Sample(**dict(row or {}))


async def trust(conn: Connection) -> Trust:
    """How far scans are trusted now."""
    row = await conn.fetchrow(_TRUST)
    return Trust(**dict(row or {}))


async def set_trust(conn: Connection, now: Trust, reason: str) -> bool:
    """Hold changes back or let them go on; True when that is another state than before.

    Of processes that find the same at once, one is told True.
    """
    return await conn.fetchval(_WEIGH, now.is_held, now.is_silent, reason) is not None
