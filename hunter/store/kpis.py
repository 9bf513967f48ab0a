"""Counts that are kept while leads are written, and what moved most; no lead is counted to read them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.store.database import Connection

#: deltas folded in one transaction
_AT_ONCE: Final = 20_000
#: changes of a score among which the largest are looked for
_LOOKED_AT: Final = 1000

_LOCK: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock(4852)"
_FOLD: Final[LiteralString] = """
    WITH taken AS (
        DELETE FROM kpi_delta WHERE id IN (SELECT id FROM kpi_delta ORDER BY id LIMIT $1)
        RETURNING dimension, value, n
    )
    INSERT INTO kpi_count (dimension, value, n)
    SELECT dimension, value, sum(n) FROM taken GROUP BY dimension, value ORDER BY dimension, value
    ON CONFLICT (dimension, value) DO UPDATE SET n = kpi_count.n + EXCLUDED.n
"""
_PRUNE: Final[LiteralString] = """
    DELETE FROM kpi_count WHERE n = 0
        OR dimension IN ('scans', 'changes') AND left(value, 10) < to_char(
            now() AT TIME ZONE 'UTC' - interval '90 days', 'YYYY-MM-DD'
        )
"""


async def fold(conn: Connection) -> bool:
    """Add deltas to the counts, in a transaction; False when another process is at it.

    What commits while it runs is left for the next time: sums are right at any moment.
    """
    if not await conn.fetchval(_LOCK):
        return False
    await conn.execute(_FOLD, _AT_ONCE)
    await conn.execute(_PRUNE)
    return True


_READ: Final[LiteralString] = """
    SELECT dimension, value, sum(n)::bigint AS n, now() AS at FROM (
        SELECT dimension, value, n FROM kpi_count
        UNION ALL
        SELECT dimension, value, n FROM kpi_delta
    ) each GROUP BY dimension, value HAVING sum(n) <> 0
"""


async def read(conn: Connection) -> dict[str, dict[str, int]]:
    """Value to count by dimension; '' stands for leads without a value."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await conn.fetch(_READ):
        found[row["dimension"]][row["value"]] = row["n"]
    return found


class Mover(msgspec.Struct, frozen=True):
    """A lead whose score changed."""

    domain: str
    company_name: str | None
    score_before: int
    score_after: int
    at: datetime


_MOVERS: Final[LiteralString] = """
    SELECT m.domain, l.company_name, m.score_before, m.score_after, m.at
    FROM (
        SELECT domain, at, (before ->> 'score')::integer AS score_before,
            (after ->> 'score')::integer AS score_after
        FROM change
        WHERE kind = 'score_changed' AND id > $1
        ORDER BY id DESC LIMIT $2
    ) m JOIN lead l USING (domain)
    WHERE m.score_before IS NOT NULL AND m.score_after IS NOT NULL
    ORDER BY abs(m.score_after - m.score_before) DESC, m.at DESC, m.domain LIMIT $3
"""


async def movers(conn: Connection, since: UUID, limit: int) -> list[Mover]:
    """Leads whose score changed most since the time of an id, the largest change first."""
    rows = await conn.fetch(_MOVERS, since, _LOOKED_AT, limit)
    return [Mover(**dict(row)) for row in rows]
