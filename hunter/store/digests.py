"""Digests: what daily rules matched, put into one message a day in one transaction."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.store.database import LONG_S, Connection


class DueRule(msgspec.Struct, frozen=True):
    """A rule whose digest is due, locked."""

    id: UUID
    timezone: str
    hour: int
    due_at: datetime
    #: by PostgreSQL's clock
    now: datetime


_DUE: Final[LiteralString] = """
    SELECT id, timezone, digest_hour AS hour, digest_at AS due_at, clock_timestamp() AS now
    FROM alert_rule
    WHERE digest_at <= now() AND deleted_at IS NULL
    ORDER BY digest_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""


async def due(conn: Connection) -> DueRule | None:
    """A rule whose digest is due and that no other worker has."""
    row = await conn.fetchrow(_DUE)
    return None if row is None else DueRule(**row)


#: A day has one digest: what a rule moved to another time zone would put into yesterday's comes
#: into the next.
_CLOSE: Final[LiteralString] = """
    WITH day AS (
        SELECT greatest($2::date, (
            SELECT max(digest_day) + 1 FROM delivery WHERE rule_id = $1 AND digest_day IS NOT NULL
        )) AS day
    ), told AS (
        UPDATE alert SET digest_day = (SELECT day FROM day), awaits_digest = false
        WHERE rule_id = $1 AND awaits_digest
        RETURNING 1
    ), made AS (
        INSERT INTO delivery (id, kind, rule_id, endpoint_id, digest_day)
        SELECT hunter_uuid7(), 'digest', $1, e.endpoint_id, (SELECT day FROM day)
        FROM alert_rule_endpoint e WHERE e.rule_id = $1 AND EXISTS (SELECT FROM told)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM told) AS alerts, (SELECT count(*) FROM made) AS deliveries
"""


async def close_day(conn: Connection, rule_id: UUID, day: date) -> int:
    """Put everything a rule has not told yet into the digest of a day; how many messages it makes.

    None when there is nothing to tell. The rule is locked by the caller.
    """
    row = await conn.fetchrow(_CLOSE, rule_id, day, timeout=LONG_S)
    return row["deliveries"] if row else 0


_NEXT: Final[LiteralString] = "UPDATE alert_rule SET digest_at = $2 WHERE id = $1"


async def set_next(conn: Connection, rule_id: UUID, at: datetime) -> None:
    """When the rule's next digest is due."""
    await conn.execute(_NEXT, rule_id, at)
