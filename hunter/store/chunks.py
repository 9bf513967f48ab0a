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


class Hint(msgspec.Struct, frozen=True, gc=False):
    """Chunk `chunk_id` may be looked at; `number` tells its hints apart."""

    chunk_id: int
    number: int
    #: somebody had begun it: it goes before what still waits for its first turn
    begun: bool = False


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


_FLEET: Final[LiteralString] = """
    SELECT coalesce(sum(CASE WHEN $1 = 'bulk' THEN slots ELSE interactive_slots END), 0)
    FROM worker_process WHERE seen_at > now() - make_interval(secs => $2::float8)
"""
_HINTED: Final[LiteralString] = """
    SELECT count(*) FROM scan_chunk
    WHERE lane = $1 AND state = 'ready' AND hinted_at > now() - make_interval(secs => $2::float8)
"""


async def room(conn: Connection, lane: str, *, alive_s: float, stale_s: float) -> int:
    """How many more chunks of a lane may be hinted: thrice the fleet's slots, less those hinted."""
    slots = await conn.fetchval(_FLEET, lane, alive_s)
    hinted = await conn.fetchval(_HINTED, lane, stale_s)
    return max(0, 3 * int(slots) - int(hinted))


#: one round robin: the jobs longest without a hint first, an equal share for each
_PICK: Final[LiteralString] = """
    WITH job AS MATERIALIZED (
        SELECT id FROM scan_job j
        WHERE lane = $1 AND status IN ('pending', 'running') AND payload_version <= $4
          AND (purpose = 'asked') = $5 AND EXISTS (
            SELECT FROM scan_chunk c
            WHERE c.job_id = j.id AND c.state IN ('ready', 'leased')
              AND CASE c.state WHEN 'ready' THEN c.not_before <= now() ELSE c.lease_until < now() END
              AND (c.hinted_at IS NULL OR c.hinted_at < now() - make_interval(secs => $2::float8))
        )
        ORDER BY last_dispatch NULLS FIRST, id LIMIT least($3::integer, 50)
        FOR UPDATE SKIP LOCKED
    ), picked AS MATERIALIZED (
        SELECT c.id FROM job, LATERAL (
            SELECT id FROM scan_chunk c
            WHERE c.job_id = job.id AND c.state IN ('ready', 'leased')
              AND CASE c.state WHEN 'ready' THEN c.not_before <= now() ELSE c.lease_until < now() END
              AND (c.hinted_at IS NULL OR c.hinted_at < now() - make_interval(secs => $2::float8))
            ORDER BY id
            LIMIT (SELECT ceil($3::float8 / greatest(count(*), 1))::integer FROM job)
            FOR UPDATE SKIP LOCKED
        ) c
    ), turn AS (
        UPDATE scan_job SET last_dispatch = clock_timestamp() WHERE id IN (SELECT id FROM job)
    )
    UPDATE scan_chunk SET hinted_at = now(), hints = hints + 1
    FROM picked WHERE scan_chunk.id = picked.id
    RETURNING scan_chunk.id, hints, epoch > 0 AS begun
"""


async def pick(
    conn: Connection, lane: str, *, limit: int, stale_s: float, by_schedule: bool = False
) -> list[Hint]:
    """Mark up to `limit` claimable chunks as hinted, fairly over jobs; they are hinted after COMMIT.

    Those that callers asked for, or those of the schedule.
    """
    rows = await conn.fetch(_PICK, lane, stale_s, limit, PAYLOAD_VERSION, not by_schedule)
    return sorted(
        (Hint(row["id"], row["hints"], row["begun"]) for row in rows),
        key=lambda hint: hint.chunk_id,
    )


_IN_FLIGHT: Final[LiteralString] = """
    SELECT count(*) FROM scan_job j JOIN scan_chunk c ON c.job_id = j.id
    WHERE j.lane = 'bulk' AND j.status IN ('pending', 'running') AND j.purpose <> 'asked'
      AND (c.state = 'leased'
           OR c.state = 'ready' AND c.hinted_at > now() - make_interval(secs => $1::float8))
"""


async def room_for_schedule(conn: Connection, *, left: int, alive_s: float, stale_s: float) -> int:
    """How many chunks of the schedule may be hinted where callers left room for so many.

    Half the fleet's slots at most, so that a caller who comes now finds others free; one at least,
    so that callers who never end do not end the schedule.
    """
    slots = int(await conn.fetchval(_FLEET, "bulk", alive_s))
    in_flight = int(await conn.fetchval(_IN_FLIGHT, stale_s))
    return max(min(left, (slots + 1) // 2 - in_flight), min(1, slots) - in_flight, 0)


_MARK: Final[LiteralString] = """
    UPDATE scan_chunk SET hinted_at = now(), hints = hints + 1
    WHERE id = $1 AND state = 'ready' RETURNING id, hints
"""


async def mark(conn: Connection, chunk_id: int) -> Hint | None:
    """Mark one ready chunk as hinted."""
    row = await conn.fetchrow(_MARK, chunk_id)
    return None if row is None else Hint(row["id"], row["hints"])


_UNMARK: Final[LiteralString] = """
    UPDATE scan_chunk SET hinted_at = NULL WHERE id IN (
        SELECT id FROM scan_chunk WHERE id = ANY($1::bigint[])
          AND (state = 'ready' OR state = 'leased' AND lease_until < now())
        ORDER BY id FOR UPDATE SKIP LOCKED
    )
"""


async def unmark(conn: Connection, chunk_ids: Sequence[int]) -> None:
    """Their hints came to nothing: the dispatcher may give new ones at once."""
    await conn.execute(_UNMARK, chunk_ids)


_FORGET_HINTS: Final[LiteralString] = """
    UPDATE scan_chunk SET hinted_at = NULL WHERE id IN (
        SELECT id FROM scan_chunk WHERE lane = ANY($1::text[]) AND hinted_at IS NOT NULL
          AND (state = 'ready' OR state = 'leased' AND lease_until < now())
        ORDER BY id FOR UPDATE SKIP LOCKED
    )
"""


async def forget_hints(conn: Connection) -> None:
    """Redis was wiped: every claimable chunk may be hinted again at once."""
    await conn.execute(_FORGET_HINTS, ["interactive", "bulk"])


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


_EXTEND: Final[LiteralString] = """
    WITH mine AS (
        SELECT c.id FROM scan_chunk c
        JOIN unnest($1::bigint[], $2::bigint[]) AS held(id, epoch) USING (id, epoch)
        WHERE c.state = 'leased'
        ORDER BY c.id FOR UPDATE OF c SKIP LOCKED
    )
    UPDATE scan_chunk SET lease_until = now() + make_interval(secs => $3::float8)
    FROM mine WHERE scan_chunk.id = mine.id
    RETURNING scan_chunk.id
"""
_LOST: Final[LiteralString] = """
    SELECT held.id FROM unnest($1::bigint[], $2::bigint[]) AS held(id, epoch)
    LEFT JOIN scan_chunk c ON c.id = held.id
    -- done under our epoch is our own commit, whose answer is still on its way
    WHERE c.id IS NULL OR c.epoch <> held.epoch OR c.state NOT IN ('leased', 'done')
"""


async def extend(conn: Connection, held: Mapping[int, int], lease_s: float) -> list[int]:
    """Extend the leases of `held` (chunk id to epoch); the ids that are ours no more.

    A row that somebody locks is skipped: it is being committed, or it is told apart below.
    """
    ids, epochs = list(held), list(held.values())
    extended = {row["id"] for row in await conn.fetch(_EXTEND, ids, epochs, lease_s)}
    rest = {chunk: epoch for chunk, epoch in held.items() if chunk not in extended}
    if not rest:
        return []
    return [row["id"] for row in await conn.fetch(_LOST, list(rest), list(rest.values()))]


_GIVE_BACK: Final[LiteralString] = """
    WITH mine AS (
        SELECT c.id FROM scan_chunk c
        JOIN unnest($1::bigint[], $2::bigint[]) AS held(id, epoch) USING (id, epoch)
        WHERE c.state = 'leased'
        ORDER BY c.id FOR UPDATE OF c SKIP LOCKED
    )
    UPDATE scan_chunk SET state = 'ready', lease_until = NULL, hinted_at = NULL, alone = false
    FROM mine WHERE scan_chunk.id = mine.id
    RETURNING scan_chunk.id
"""


async def give_back(conn: Connection, held: Mapping[int, int]) -> list[int]:
    """Hand leases back without a failure counted; the ids of those that were still ours.

    A row that somebody locks is skipped: it is being committed, and a drain cannot wait for that.
    """
    rows = await conn.fetch(_GIVE_BACK, list(held), list(held.values()))
    return [row["id"] for row in rows]


_RETURN_UNKNOWN: Final[LiteralString] = """
    UPDATE scan_chunk SET state = 'ready', lease_until = NULL, hinted_at = NULL, alone = false
    WHERE id IN (
        SELECT id FROM scan_chunk
        WHERE state = 'leased' AND worker_id = $1 AND NOT id = ANY($2::bigint[])
          AND leased_at < now() - make_interval(secs => $3::float8)
        ORDER BY id FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""


async def return_unknown(
    conn: Connection, worker_id: UUID, held: Sequence[int], *, older_s: float
) -> list[int]:
    """Hand back leases that a worker has without knowing: the answer to its claim got lost.

    `older_s` is longer than a claim may take, so that none under way is meant.
    """
    rows = await conn.fetch(_RETURN_UNKNOWN, worker_id, held, older_s)
    return [row["id"] for row in rows]


_POSTPONE: Final[LiteralString] = """
    UPDATE scan_chunk SET state = 'ready', lease_until = NULL, hinted_at = NULL,
        failures = failures + $3::smallint, reason = $4, alone = alone AND $3 > 0,
        not_before = now() + make_interval(secs => least(60, power(2, least(failures, 6)))::float8)
    WHERE id = $1 AND epoch = $2 AND state = 'leased'
"""


async def postpone(
    conn: Connection, chunk_id: int, epoch: int, *, reason: str, counted: bool
) -> None:
    """Hand a chunk back after an exception, to be tried again later and later.

    `counted` is False when the fault was not the chunk's, such as a full disk.
    """
    await conn.execute(_POSTPONE, chunk_id, epoch, int(counted), reason[:500])


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


_BEAT: Final[LiteralString] = """
    INSERT INTO worker_process (id, slots, interactive_slots, rules_version)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), slots = EXCLUDED.slots,
        interactive_slots = EXCLUDED.interactive_slots, rules_version = EXCLUDED.rules_version
"""


async def register(
    conn: Connection,
    worker_id: UUID,
    *,
    slots: int,
    interactive_slots: int,
    rules_version: str | None = None,
) -> None:
    """Say that a worker process lives, how much it takes at once, and by which rules it judges."""
    await conn.execute(_BEAT, worker_id, slots, interactive_slots, rules_version)


_LEAVE: Final[LiteralString] = "DELETE FROM worker_process WHERE id = $1"
_SWEEP_WORKERS: Final[LiteralString] = (
    "DELETE FROM worker_process WHERE seen_at < now() - interval '1 hour'"
)


async def leave(conn: Connection, worker_id: UUID) -> None:
    """Forget a worker process that stops."""
    await conn.execute(_LEAVE, worker_id)


async def sweep_workers(conn: Connection) -> None:
    """Forget worker processes not seen for an hour."""
    await conn.execute(_SWEEP_WORKERS)
