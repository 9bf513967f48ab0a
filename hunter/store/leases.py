"""Leases of chunks: extended, handed back, or given up after an exception, always under their epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString
from uuid import UUID

from hunter.store.database import Connection

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
