"""Poison: chunks that cost worker after worker, halved until one domain is left, and that one given up."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.store import suppressions
from hunter.store.chunks import FAILURES_MAX, LOSSES_MAX
from hunter.store.database import Connection


class Verdict(msgspec.Struct, frozen=True):
    """What became of a chunk that cost too many workers."""

    chunk_id: int
    job_id: UUID
    #: the parts it was halved into; none when its one domain was given up
    parts: tuple[int, ...]
    #: the domain given up, None when it was halved
    domain: str | None
    reason: str


# A lease that ran out is counted by the next claim, so the last loss of a condemned chunk, which
# nobody claims any more, is counted here. One that ran out while PostgreSQL was away is none.
_SUSPECT: Final[LiteralString] = """
    suspect AS (
        SELECT id, losses + is_lost::integer AS losses, alone AND (is_lost OR state = 'ready') AS proved
        FROM (
            SELECT *, state = 'leased' AND leased_at > greatest(
                pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time()
            ) AS is_lost
            FROM scan_chunk
            WHERE state IN ('ready', 'leased') AND (losses >= 2 OR failures >= 5)
              AND (state = 'ready' OR lease_until < now())
        ) c
        WHERE losses + is_lost::integer >= $1 OR failures >= $2
    )
"""
_ANY: Final[LiteralString] = f"WITH {_SUSPECT} SELECT EXISTS (SELECT FROM suspect)"  # noqa: S608  # of constants
_CONDEMNED: Final[LiteralString] = f"""
    WITH {_SUSPECT}
    SELECT c.id, c.job_id, c.lane, c.domains, c.failures, c.reason, suspect.losses
    FROM scan_chunk c JOIN suspect USING (id)
    WHERE (cardinality(c.domains) > 1 OR suspect.proved)
      -- looked at again once locked: somebody may have claimed it in between
      AND (c.state = 'ready' OR c.state = 'leased' AND c.lease_until < now())
    ORDER BY c.id LIMIT 50 FOR UPDATE OF c SKIP LOCKED
"""  # noqa: S608  # of constants
_SPLIT: Final[LiteralString] = """
    UPDATE scan_chunk SET state = 'split', epoch = epoch + 1, lease_until = NULL, losses = $2
    WHERE id = $1
"""
_PART: Final[LiteralString] = """
    INSERT INTO scan_chunk (job_id, parent_id, lane, domains) VALUES ($1, $2, $3, $4) RETURNING id
"""
_DIE: Final[LiteralString] = """
    UPDATE scan_chunk SET state = 'dead', epoch = epoch + 1, lease_until = NULL, losses = $2,
        reason = $3, done_at = now()
    WHERE id = $1
"""


async def condemn(conn: Connection) -> list[Verdict]:
    """Halve the chunks that cost too many workers, and give up the single domains that did so alone.

    Run inside a transaction. A parent keeps its id and fences out whoever still works on it; its
    parts start anew.
    """
    if not await conn.fetchval(_ANY, LOSSES_MAX, FAILURES_MAX):
        return []
    await suppressions.wait(conn)
    found = await conn.fetch(_CONDEMNED, LOSSES_MAX, FAILURES_MAX)
    verdicts = []
    for row in found:
        chunk_id, names = row["id"], row["domains"]
        if len(names) == 1:
            reason = _reason(row["losses"], row["failures"], row["reason"])
            await conn.execute(_DIE, chunk_id, row["losses"], reason)
            verdicts.append(Verdict(chunk_id, row["job_id"], (), names[0], reason))
            continue
        await conn.execute(_SPLIT, chunk_id, row["losses"])
        middle = len(names) // 2
        parts = [
            await conn.fetchval(_PART, row["job_id"], chunk_id, row["lane"], half)
            for half in (names[:middle], names[middle:])
        ]
        verdicts.append(Verdict(chunk_id, row["job_id"], tuple(parts), None, ""))
    return verdicts


def _reason(losses: int, failures: int, last: str | None) -> str:
    """Why a domain was given up, in a sentence callers get to read."""
    told = f"given up: {losses} workers stopped or froze over it, {failures} attempts failed"
    return f"{told}; last: {last}"[:500] if last else told
