"""Whose turn it is: chunks that are claimable, marked as hinted, fairly over jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

import msgspec

from hunter.store.chunks import PAYLOAD_VERSION
from hunter.store.database import Connection


class Hint(msgspec.Struct, frozen=True, gc=False):
    """Chunk `chunk_id` may be looked at; `number` tells its hints apart."""

    chunk_id: int
    number: int
    #: somebody had begun it: it goes before what still waits for its first turn
    begun: bool = False


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
