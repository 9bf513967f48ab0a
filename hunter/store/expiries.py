"""Registrations that end soon or have ended: told once for each end, when the day has come."""

from __future__ import annotations

from datetime import date
from typing import Final, LiteralString
from uuid import UUID

from hunter.store import changes
from hunter.store.changes import Change
from hunter.store.database import Connection

#: days before and after the end within which it is news
_NEAR_DAYS: Final = 30
_AT_ONCE: Final = 500
#: "Ended" only where a registry said so afterwards: a renewal nobody asked about is not known.
_DUE: Final[LiteralString] = """
    WITH due AS (
        SELECT r.domain, r.expires,
            CASE WHEN r.expires < current_date THEN 'expired' ELSE 'expire_soon' END AS kind
        FROM registration r JOIN lead l ON l.domain = r.domain
        WHERE r.state = 'registered'
          AND r.expires BETWEEN current_date - $1::integer AND current_date + $1::integer
          AND r.fetched_at > now() - make_interval(days => $1)
          AND (r.expires >= current_date OR r.fetched_at >= r.expires + 1)
          AND (r.told_expires IS DISTINCT FROM r.expires
               OR r.told_kind = 'expire_soon' AND r.expires < current_date)
        ORDER BY r.domain LIMIT $2 FOR UPDATE OF l SKIP LOCKED
    ), told AS (
        UPDATE registration r SET told_expires = due.expires, told_kind = due.kind
        FROM due WHERE r.domain = due.domain
    )
    SELECT due.domain, due.expires, due.kind, l.segment, l.provider, l.score, l.observation_id,
        current_date AS today
    FROM due JOIN lead l ON l.domain = due.domain ORDER BY due.domain
"""


async def tell_due(conn: Connection) -> list[UUID]:
    """Write the changes that days brought, inside a transaction; their ids, none when all are told."""
    found = [
        Change(
            domain=row["domain"],
            kind=row["kind"],
            before={"expires": None},
            after=_after(row["expires"], row["today"]),
            observation_before=row["observation_id"],
            observation_after=row["observation_id"],
            segment=row["segment"],
            provider=row["provider"],
            score=row["score"],
        )
        for row in await conn.fetch(_DUE, _NEAR_DAYS, _AT_ONCE)
    ]
    return [written.id for written in await changes.add(conn, found)]


def _after(expires: date, today: date) -> dict[str, object]:
    return {"expires": expires.isoformat(), "days": (expires - today).days}
