"""Changes matched by rules: alerts and their messages, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.store import suppressions
from hunter.store.database import LONG_S, Connection

#: Changes times rules and the endpoints these tell: so many rows one transaction may come to.
#: A commit holds leads locked while they are written.
ROWS_AT_ONCE: Final = 20_000

#: What may notify of the change `c` at all: a kind of the schema's set, and a score that moved by
#: ten points or more.
NOTIFIES: Final[LiteralString] = """
    c.kind NOT IN ('reclassified', 'fact_table_effect', 'observation_failed', 'scan_health_degraded')
    AND (
        c.kind <> 'score_changed'
        OR jsonb_typeof(c.before -> 'score') IS DISTINCT FROM 'number'
        OR jsonb_typeof(c.after -> 'score') IS DISTINCT FROM 'number'
        OR abs((c.after ->> 'score')::numeric - (c.before ->> 'score')::numeric) >= 10
    )
"""
#: Whether the filters of rule `r` want the change `c` of the lead `l`. A filter by provider also
#: holds for the one that a company leaves.
WANTS: Final[LiteralString] = """
    c.kind = ANY(r.kinds)
    AND (r.segments IS NULL OR l.segment = ANY(r.segments))
    AND (r.providers IS NULL OR l.provider = ANY(r.providers)
         OR c.before ->> 'provider' = ANY(r.providers))
    AND (r.min_score IS NULL OR l.score >= r.min_score)
    AND (r.lowest_priority IS NULL OR l.priority <= r.lowest_priority)
    AND (r.domains IS NULL OR c.domain = ANY(r.domains))
    AND (r.markets IS NULL
         OR coalesce(substring(c.domain FROM '[.]([^.]{2})$'), 'global') = ANY(r.markets))
    AND (r.tags IS NULL OR l.tags && r.tags)
"""
#: What is told of the change `c` of the lead `l`. Contacts and notes are no part of it.
CONTENT: Final[LiteralString] = """
    jsonb_build_object(
        'domain', c.domain, 'before', c.before, 'after', c.after,
        'rules_version', coalesce(l.rules_version, ''),
        'lead', jsonb_build_object(
            'display_name', l.display_name, 'company_name', l.company_name,
            'segment', l.segment, 'priority', l.priority, 'score', l.score,
            'confidence', l.confidence, 'provider', l.provider, 'mx_operator', l.mx_operator,
            'gateway', l.gateway, 'tenant_state', l.tenant_state, 'mail_state', l.mail_state,
            'posture', l.posture, 'dmarc_policy', l.dmarc_policy
        )
    )
"""
#: No part is joined with `matched` again: nobody has counted what is in it, and the planner would
#: compare everything with everything.
_RAISE: Final[LiteralString] = f"""
    WITH matched AS (
        SELECT r.id AS rule_id, r.cadence = 'daily' AS is_daily, c.id AS change_id, c.domain, c.kind
        FROM change c JOIN lead l ON l.domain = c.domain
        JOIN alert_rule r ON r.is_enabled AND r.deleted_at IS NULL AND r.created_at <= c.at
            AND {WANTS}
        WHERE c.id = ANY($1::uuid[]) AND {NOTIFIES}
    ), told AS (
        INSERT INTO alert_event (change_id, domain, kind, at, sequence, content)
        SELECT c.id, c.domain, c.kind, c.at, c.sequence, {CONTENT}
        FROM change c JOIN lead l ON l.domain = c.domain
        WHERE c.id = ANY(ARRAY(SELECT DISTINCT change_id FROM matched))
        ON CONFLICT DO NOTHING
    ), raised AS (
        INSERT INTO alert (id, rule_id, change_id, domain, kind, awaits_digest)
        SELECT hunter_uuid7(), rule_id, change_id, domain, kind, is_daily FROM matched
        ON CONFLICT DO NOTHING
        RETURNING rule_id, change_id, domain, awaits_digest
    ), due AS (
        INSERT INTO delivery (id, kind, rule_id, endpoint_id, change_id, domain)
        SELECT hunter_uuid7(), 'event', a.rule_id, e.endpoint_id, a.change_id, a.domain
        FROM raised a CROSS JOIN LATERAL (
            SELECT endpoint_id FROM alert_rule_endpoint WHERE rule_id = a.rule_id OFFSET 0
        ) e
        WHERE NOT a.awaits_digest
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT (SELECT count(*) FROM raised) AS alerts, (SELECT count(*) FROM due) AS deliveries
"""  # noqa: S608  # of constants


class Raised(msgspec.Struct, frozen=True):
    """What came of changes."""

    #: matches of a rule and a change
    alerts: int = 0
    #: messages that are due now; those of daily rules come with their digest
    deliveries: int = 0


#: what one change comes to when every rule wants it
_ROWS: Final[LiteralString] = """
    SELECT count(*) AS rows FROM (
        SELECT FROM alert_rule r WHERE r.is_enabled AND r.deleted_at IS NULL
        UNION ALL
        SELECT FROM alert_rule r JOIN alert_rule_endpoint e ON e.rule_id = r.id
        WHERE r.is_enabled AND r.deleted_at IS NULL
    ) AS each
"""
_LEAVE: Final[LiteralString] = """
    INSERT INTO unraised_change (change_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING
"""


async def raise_alerts(conn: Connection, changes: Sequence[UUID]) -> Raised:
    """Match changes against every rule in force and make their alerts and messages.

    Run it in the transaction that wrote the changes, after their leads were written: then a change
    has its messages or is not there, and however often the transaction is run again, each is there
    once. Of a thousand rules and ten thousand changes the work is cut short: what is left is noted
    in the same transaction, and `raise_left` does it.
    """
    rows = await conn.fetchval(_ROWS) if changes else 0
    if not rows:
        return Raised()
    room = max(1, ROWS_AT_ONCE // rows)
    if len(changes) > room:
        await conn.execute(_LEAVE, changes[room:])
    return await _raise(conn, changes[:room])


async def _raise(conn: Connection, changes: Sequence[UUID]) -> Raised:
    row = await conn.fetchrow(_RAISE, changes, timeout=LONG_S)
    return Raised(row["alerts"], row["deliveries"]) if row else Raised()


#: oldest first; what another process has just taken is left to it
_TAKE_LEFT: Final[LiteralString] = """
    DELETE FROM unraised_change WHERE change_id IN (
        SELECT change_id FROM unraised_change ORDER BY change_id LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING change_id
"""
_IS_LEFT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM unraised_change)"


async def raise_left(conn: Connection) -> Raised | None:
    """Match some of the changes that their commits left, inside a transaction; None: none is left.

    By the rules of now, except those made after the change. A deletion under way ends first.
    """
    if not await conn.fetchval(_IS_LEFT):
        return None
    await suppressions.wait(conn)
    room = max(1, ROWS_AT_ONCE // max(1, await conn.fetchval(_ROWS)))
    taken = [row["change_id"] for row in await conn.fetch(_TAKE_LEFT, room)]
    return await _raise(conn, taken) if taken else None
