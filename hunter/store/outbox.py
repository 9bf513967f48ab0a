"""Messages on their way out: claimed under a lease and an epoch, recorded only under that epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.advice import Language
from hunter.core.channels import NOT_ITS_FAULT, Channel, Outcome
from hunter.core.ladder import open_for_s
from hunter.core.notice import Event
from hunter.store import audit
from hunter.store.database import Connection

_event_of: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message goes; address and secrets are sealed."""

    id: UUID
    channel: Channel
    language: Language
    address: bytes
    secret: bytes | None
    #: signs too while a rotation is under way
    old_secret: bytes | None
    #: failures in a row up to now
    failures: int


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose lease we hold."""

    id: UUID
    epoch: int
    kind: str
    #: this one included
    attempts: int
    created_at: datetime
    #: by PostgreSQL's clock
    claimed_at: datetime
    rule_id: UUID
    rule_name: str
    digest_day: date | None
    #: what it tells of; None of a digest or a test
    event: Event | None
    #: None before the first try
    body: bytes | None
    target: Target


#: Locked, so that two workers do not both count what is under way at an endpoint. Those that
#: failed last come apart: they get few slots.
_DUE_ENDPOINTS: Final[LiteralString] = """
    SELECT e.id, e.failures FROM alert_endpoint e
    CROSS JOIN LATERAL (
        SELECT d.due_at FROM delivery d
        WHERE d.endpoint_id = e.id AND d.state IN ('ready', 'leased') AND d.due_at <= now()
        ORDER BY d.due_at LIMIT 1
    ) oldest
    WHERE e.state = 'active' AND (e.open_until IS NULL OR e.open_until <= now())
      AND (e.failures > 0) = $2
    ORDER BY oldest.due_at LIMIT $1
    FOR NO KEY UPDATE OF e SKIP LOCKED
"""
_CLAIM: Final[LiteralString] = """
    WITH picked AS MATERIALIZED (
        SELECT p.id FROM unnest($1::uuid[], $2::integer[]) AS room(endpoint_id, most)
        CROSS JOIN LATERAL (
            SELECT d.id FROM delivery d
            WHERE d.endpoint_id = room.endpoint_id
              AND d.state IN ('ready', 'leased') AND d.due_at <= now()
            ORDER BY d.due_at
            LIMIT greatest(0, room.most - (
                SELECT count(*) FROM delivery b WHERE b.endpoint_id = room.endpoint_id
                AND b.state = 'leased' AND b.due_at > now()
            ))
            FOR UPDATE SKIP LOCKED
        ) p
        LIMIT $3
    ), taken AS (
        UPDATE delivery d SET state = 'leased', epoch = d.epoch + 1, attempts = d.attempts + 1,
            due_at = now() + make_interval(secs => $4)
        FROM picked WHERE d.id = picked.id
        RETURNING d.*
    )
    SELECT t.id, t.epoch, t.kind, t.attempts, t.created_at, t.rule_id, t.change_id, t.digest_day,
        clock_timestamp() AS claimed_at, t.body, coalesce(r.name, '') AS rule_name,
        v.kind AS event_kind, v.at, v.sequence, v.content,
        e.id AS endpoint_id, e.kind AS channel, e.language, e.target, e.secret, e.failures,
        CASE WHEN e.old_secret_until > now() THEN e.old_secret END AS old_secret
    FROM taken t JOIN alert_endpoint e ON e.id = t.endpoint_id
    LEFT JOIN alert_rule r ON r.id = t.rule_id
    LEFT JOIN alert_event v ON v.change_id = t.change_id
"""


async def claim(
    conn: Connection, *, limit: int, per_endpoint: int, failing: bool, lease_s: float
) -> list[Parcel]:
    """Take messages that are due, at most `per_endpoint` under way at each, over all workers.

    An endpoint that failed last, asked for with `failing`, has one under way until it succeeds.
    """
    if limit <= 0:
        return []
    due = await conn.fetch(_DUE_ENDPOINTS, limit, failing)
    if not due:
        return []
    room = [1 if row["failures"] else per_endpoint for row in due]
    # each in turn, before any has its second: shares are even where they do not suffice
    share = max(1, limit // len(due))
    room = [min(each, share) for each in room]
    rows = await conn.fetch(_CLAIM, [row["id"] for row in due], room, limit, lease_s)
    return [_parcel(row) for row in rows]


def _parcel(row: Mapping[str, Any]) -> Parcel:
    target = Target(
        id=row["endpoint_id"],
        channel=Channel(row["channel"]),
        language=Language(row["language"]),
        address=row["target"],
        secret=row["secret"],
        old_secret=row["old_secret"],
        failures=row["failures"],
    )
    return Parcel(
        id=row["id"],
        epoch=row["epoch"],
        kind=row["kind"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        claimed_at=row["claimed_at"],
        rule_id=row["rule_id"],
        rule_name=row["rule_name"],
        digest_day=row["digest_day"],
        event=event_from_row(row) if row["content"] else None,
        body=row["body"],
        target=target,
    )


def event_from_row(row: Mapping[str, Any]) -> Event:
    """A row with change_id, event_kind, at, sequence and content."""
    values = {
        "change_id": str(row["change_id"]),
        "kind": row["event_kind"],
        "at": row["at"],
        "sequence": row["sequence"],
        **_event_of(row["content"]),
    }
    return msgspec.convert(values, Event)


_DIGEST: Final[LiteralString] = """
    SELECT v.change_id, v.kind AS event_kind, v.at, v.sequence, v.content, count(*) OVER () AS total
    FROM alert a JOIN alert_event v ON v.change_id = a.change_id
    WHERE a.rule_id = $1 AND a.digest_day = $2
    ORDER BY v.sequence LIMIT $3
"""


async def digest_events(
    conn: Connection, rule_id: UUID, day: date, *, limit: int
) -> tuple[list[Event], int]:
    """The first events of a rule's day, and how many there are."""
    rows = await conn.fetch(_DIGEST, rule_id, day, limit)
    return [event_from_row(row) for row in rows], rows[0]["total"] if rows else 0


_FREEZE: Final[LiteralString] = """
    UPDATE delivery d SET body = n.body FROM unnest($1::uuid[], $2::bytea[]) AS n(id, body)
    WHERE d.id = n.id AND d.body IS NULL
"""


async def freeze(conn: Connection, bodies: Mapping[UUID, bytes]) -> None:
    """Keep what messages say, before any of it is sent; in the transaction of their claim."""
    if bodies:
        await conn.execute(_FREEZE, list(bodies), list(bodies.values()))


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a try means for its message and its endpoint."""

    outcome: Outcome
    status: int | None
    detail: str
    duration_ms: int
    #: seconds until the next try; None: taken, or given up
    again_s: float | None
    #: seconds after which the endpoint wants to be asked again
    asked_s: float | None


_SETTLE: Final[LiteralString] = """
    UPDATE delivery SET
        state = CASE WHEN $3 = 'ok' THEN 'done' WHEN $4::float8 IS NULL THEN 'dead' ELSE 'ready' END,
        due_at = now() + make_interval(secs => coalesce($4, 0)),
        last_error = CASE WHEN $3 <> 'ok' THEN $3 END,
        ended_at = CASE WHEN $3 = 'ok' OR $4 IS NULL THEN now() END
    WHERE id = $1 AND epoch = $2 AND state = 'leased'
    RETURNING endpoint_id
"""
_ATTEMPT: Final[LiteralString] = """
    INSERT INTO delivery_attempt (delivery_id, epoch, outcome, status, duration_ms, detail)
    VALUES ($1, $2, $3, $4, $5, left($6, 500))
"""
#: a healthy endpoint is written once a minute: its row is everybody's
_WENT_WELL: Final[LiteralString] = """
    UPDATE alert_endpoint SET failures = 0, open_until = NULL, last_ok_at = now(), last_error = NULL
    WHERE id = $1 AND (failures > 0 OR open_until IS NOT NULL OR last_ok_at IS NULL
        OR last_ok_at < now() - interval '1 minute')
"""
#: what was under way at once and failed together counts once
_WENT_WRONG: Final[LiteralString] = """
    UPDATE alert_endpoint SET last_error = $2,
        failures = failures + ($3 AND (last_failed_at IS NULL OR last_failed_at < $4))::integer,
        last_failed_at = CASE WHEN $3 THEN now() ELSE last_failed_at END
    WHERE id = $1 RETURNING failures
"""
_OPEN: Final[LiteralString] = """
    UPDATE alert_endpoint
    SET open_until = greatest(open_until, now() + make_interval(secs => $2)) WHERE id = $1
"""
_GONE: Final[LiteralString] = """
    UPDATE alert_endpoint SET state = 'disabled', state_reason = 'gone'
    WHERE id = $1 AND state = 'active'
"""
_GIVE_UP_ALL: Final[LiteralString] = """
    UPDATE delivery SET state = 'dead', last_error = 'gone', ended_at = now()
    WHERE endpoint_id = $1 AND state = 'ready'
"""


async def settle(conn: Connection, parcel: Parcel, what: Settled) -> bool:
    """Record a try under its epoch; False when the message is somebody else's now.

    Run inside a transaction. Message, try and breaker are written together.
    """
    found = await conn.fetchval(_SETTLE, parcel.id, parcel.epoch, what.outcome.value, what.again_s)
    if found is None:
        return False
    await conn.execute(
        _ATTEMPT,
        parcel.id,
        parcel.epoch,
        what.outcome.value,
        what.status,
        what.duration_ms,
        what.detail,
    )
    if what.outcome is Outcome.OK:
        await conn.execute(_WENT_WELL, parcel.target.id)
    else:
        await _count_failure(conn, parcel, what)
    if what.outcome is not Outcome.OK and what.again_s is None:
        await audit.record(conn, "delivery.given_up", parcel.id)
    return True


async def _count_failure(conn: Connection, parcel: Parcel, what: Settled) -> None:
    """Write a failure to the endpoint, and open its breaker when that is due."""
    endpoint_id, outcome = parcel.target.id, what.outcome
    failures = await conn.fetchval(
        _WENT_WRONG, endpoint_id, outcome.value, outcome not in NOT_ITS_FAULT, parcel.claimed_at
    )
    open_s = open_for_s(failures or 0, outcome, what.asked_s)
    if open_s is not None:
        await conn.execute(_OPEN, endpoint_id, open_s)
    if outcome is Outcome.GONE:
        await conn.execute(_GONE, endpoint_id)
        await conn.execute(_GIVE_UP_ALL, endpoint_id)
        await audit.record(conn, "endpoint.gone", endpoint_id)


_HAND_BACK: Final[LiteralString] = """
    UPDATE delivery d SET state = 'ready', due_at = now(), attempts = attempts - 1, epoch = d.epoch + 1
    FROM unnest($1::uuid[], $2::integer[]) AS n(id, epoch)
    WHERE d.id = n.id AND d.epoch = n.epoch AND d.state = 'leased'
"""


async def hand_back(conn: Connection, parcels: Sequence[Parcel]) -> None:
    """Give leases back that were not used: a process stops."""
    ids, epochs = [each.id for each in parcels], [each.epoch for each in parcels]
    await conn.execute(_HAND_BACK, ids, epochs)


_EXPIRE: Final[LiteralString] = """
    UPDATE delivery SET state = 'dead', last_error = 'expired', ended_at = now()
    WHERE id IN (
        SELECT id FROM delivery
        WHERE state IN ('ready', 'leased') AND due_at <= now()
          AND since < now() - make_interval(secs => $1)
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""


async def expire(conn: Connection, *, after_s: float, limit: int = 200) -> int:
    """Give up what has waited for so long; how many."""
    expired = await conn.fetch(_EXPIRE, after_s, limit)
    for row in expired:
        await audit.record(conn, "delivery.expired", row["id"])
    return len(expired)


_COUNTS: Final[LiteralString] = """
    SELECT s.state, CASE s.state
        WHEN 'dead' THEN (SELECT count(*) FROM delivery WHERE state = 'dead')
        ELSE (SELECT count(*) FROM delivery d
              WHERE d.state IN ('ready', 'leased') AND d.state = s.state) END AS n
    FROM unnest(ARRAY['ready', 'leased', 'dead']) AS s(state)
"""


async def counts(conn: Connection) -> dict[str, int]:
    """Messages by state; those that were taken are not counted, there is no end to them."""
    return {row["state"]: row["n"] for row in await conn.fetch(_COUNTS)}


_SWEEP: Final[LiteralString] = """
    WITH old AS (
        DELETE FROM delivery WHERE id IN (
            SELECT id FROM delivery WHERE ended_at < now() - make_interval(days => $1) LIMIT $2
        )
        RETURNING 1
    )
    SELECT count(*) FROM old
"""
_SWEEP_ALERTS: Final[LiteralString] = """
    WITH old AS (
        SELECT a.id FROM alert a
        WHERE a.raised_at < now() - make_interval(days => $1)
          AND NOT EXISTS (
              SELECT FROM delivery d WHERE d.rule_id = a.rule_id AND d.change_id = a.change_id
              AND d.state IN ('ready', 'leased'))
        ORDER BY a.raised_at LIMIT $2
    ), gone AS (
        DELETE FROM alert a USING old WHERE a.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone
"""
_SWEEP_EVENTS: Final[LiteralString] = """
    DELETE FROM alert_event WHERE change_id IN (
        SELECT v.change_id FROM alert_event v
        WHERE v.at < now() - make_interval(days => $1)
          AND NOT EXISTS (SELECT FROM alert a WHERE a.change_id = v.change_id)
          AND NOT EXISTS (SELECT FROM delivery d WHERE d.change_id = v.change_id)
        ORDER BY v.at LIMIT $2
    )
"""
_SWEEP_RULES: Final[LiteralString] = """
    DELETE FROM alert_rule r
    WHERE r.deleted_at < now() - make_interval(days => $1)
      AND NOT EXISTS (SELECT FROM alert a WHERE a.rule_id = r.id)
      AND NOT EXISTS (SELECT FROM delivery d WHERE d.rule_id = r.id)
"""


async def sweep(conn: Connection, *, days: int, alert_days: int, limit: int = 2000) -> int:
    """Delete messages that ended so many days ago, alerts by their own age, and what hung on them."""
    gone: int = await conn.fetchval(_SWEEP, days, limit)
    gone += await conn.fetchval(_SWEEP_ALERTS, alert_days, limit)
    await conn.execute(_SWEEP_EVENTS, days, limit)
    await conn.execute(_SWEEP_RULES, days)
    return gone
