"""Alerts and their messages looked at: lists, one message with its tries, acknowledged, sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.errors import Conflict, NotFound
from hunter.store.database import LONG_S, Connection
from hunter.store.identifiers import uuid7
from hunter.store.pages import Page, read_cursor, write_cursor

#: messages that one call sends again
MAX_REPLAYED: Final = 10_000


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One rule matched one change."""

    id: UUID
    rule_id: UUID
    rule: str
    change_id: UUID
    domain: str
    kind: str
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    before: dict[str, Any]
    after: dict[str, Any]


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts; None wants any."""

    rule: UUID | None = None
    domain: str | None = None
    kind: str | None = None
    acknowledged: bool | None = None


_SELECT_ALERTS: Final[LiteralString] = """
    SELECT a.id, a.rule_id, coalesce(r.name, '') AS rule, a.change_id, a.domain, a.kind, a.raised_at,
        a.acknowledged_at, a.acknowledged_by,
        coalesce(v.content -> 'before', '{}') AS before, coalesce(v.content -> 'after', '{}') AS after
    FROM alert a LEFT JOIN alert_rule r ON r.id = a.rule_id
    LEFT JOIN alert_event v ON v.change_id = a.change_id
"""
_ALERTS: Final[LiteralString] = f"""{_SELECT_ALERTS}
    WHERE ($1::uuid IS NULL OR a.id < $1)
      AND ($2::uuid IS NULL OR a.rule_id = $2)
      AND ($3::text IS NULL OR a.domain = $3)
      AND ($4::text IS NULL OR a.kind = $4)
      AND ($5::boolean IS NULL OR (a.acknowledged_at IS NOT NULL) = $5)
    ORDER BY a.id DESC LIMIT $6
"""


async def page(conn: Connection, wanted: AlertFilter, after: str | None, limit: int) -> Page[Alert]:
    """Alerts, newest first."""
    (key,) = read_cursor("alerts", after, UUID)
    rows = await conn.fetch(
        _ALERTS, key, wanted.rule, wanted.domain, wanted.kind, wanted.acknowledged, limit + 1
    )
    items = [_alert(row) for row in rows[:limit]]
    return Page(items, write_cursor("alerts", items[-1].id) if len(rows) > limit else None)


_ACKNOWLEDGE: Final[LiteralString] = """
    UPDATE alert SET acknowledged_at = now(), acknowledged_by = $2
    WHERE id = $1 AND acknowledged_at IS NULL
"""
_ALERT: Final[LiteralString] = f"{_SELECT_ALERTS} WHERE a.id = $1"


async def acknowledge(conn: Connection, alert_id: UUID, caller: str) -> Alert:
    """Note that somebody has seen to an alert; the first who says so counts. Raises NotFound."""
    await conn.execute(_ACKNOWLEDGE, alert_id, caller)
    row = await conn.fetchrow(_ALERT, alert_id)
    if row is None:
        raise NotFound(f"no alert {alert_id}")
    return _alert(row)


def _alert(row: Mapping[str, Any]) -> Alert:
    values = dict(row)
    for name in ("before", "after"):
        values[name] = msgspec.json.decode(values[name])
    return Alert(**values)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message, without what it says."""

    #: the webhook-id and Message-ID that its receiver sees
    id: UUID
    kind: str
    rule_id: UUID
    endpoint_id: UUID
    endpoint: str
    change_id: UUID | None
    digest_day: date | None
    domain: str | None
    state: str
    attempts: int
    replays: int
    #: the next try of one that waits
    due_at: datetime
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try."""

    at: datetime
    outcome: str
    status: int | None
    duration_ms: int
    detail: str


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages; None wants any."""

    state: str | None = None
    rule: UUID | None = None
    endpoint: UUID | None = None
    domain: str | None = None


_SELECT: Final[LiteralString] = """
    SELECT d.id, d.kind, d.rule_id, d.endpoint_id, coalesce(e.name, '') AS endpoint, d.change_id,
        d.digest_day, d.domain, d.state, d.attempts, d.replays, d.due_at, d.last_error, d.created_at,
        d.ended_at
    FROM delivery d LEFT JOIN alert_endpoint e ON e.id = d.endpoint_id
"""
_DELIVERIES: Final[LiteralString] = f"""{_SELECT}
    WHERE ($1::uuid IS NULL OR d.id < $1)
      AND ($2::text IS NULL OR d.state = $2)
      AND ($3::uuid IS NULL OR d.rule_id = $3)
      AND ($4::uuid IS NULL OR d.endpoint_id = $4)
      AND ($5::text IS NULL OR d.domain = $5)
    ORDER BY d.id DESC LIMIT $6
"""


async def deliveries_page(
    conn: Connection, wanted: DeliveryFilter, after: str | None, limit: int
) -> Page[Delivery]:
    """Messages, newest first."""
    (key,) = read_cursor("deliveries", after, UUID)
    rows = await conn.fetch(
        _DELIVERIES, key, wanted.state, wanted.rule, wanted.endpoint, wanted.domain, limit + 1
    )
    items = [Delivery(**row) for row in rows[:limit]]
    return Page(items, write_cursor("deliveries", items[-1].id) if len(rows) > limit else None)


_GET: Final[LiteralString] = f"{_SELECT} WHERE d.id = $1"


async def get_delivery(conn: Connection, delivery_id: UUID) -> Delivery:
    """A message. Raises NotFound."""
    row = await conn.fetchrow(_GET, delivery_id)
    if row is None:
        raise NotFound(f"no delivery {delivery_id}")
    return Delivery(**row)


_ATTEMPTS: Final[LiteralString] = """
    SELECT at, outcome, status, duration_ms, detail FROM delivery_attempt
    WHERE delivery_id = $1 ORDER BY epoch DESC LIMIT 100
"""


async def attempts(conn: Connection, delivery_id: UUID) -> list[Attempt]:
    """The tries of a message, latest first."""
    return [Attempt(**row) for row in await conn.fetch(_ATTEMPTS, delivery_id)]


#: The id and the text stay, so a receiver that had it can tell. One that waits is tried now.
_REPLAY: Final[LiteralString] = """
    UPDATE delivery SET state = 'ready', due_at = now(), since = now(), attempts = 0,
        replays = replays + 1, ended_at = NULL, last_error = NULL
    WHERE id = ANY($1::uuid[]) AND state <> 'leased' AND kind <> 'test'
    RETURNING id
"""


async def replay(conn: Connection, delivery_id: UUID) -> Delivery:
    """Send a message again, as it was. Raises NotFound, and Conflict while it is being sent."""
    found = await get_delivery(conn, delivery_id)
    if found.kind == "test":
        raise Conflict("a test is not sent again: press its button")
    if not await conn.fetch(_REPLAY, [delivery_id]):
        raise Conflict("the message is being sent at this moment", retry_after_s=30)
    return await get_delivery(conn, delivery_id)


_ENDED: Final[LiteralString] = """
    SELECT id FROM delivery
    WHERE created_at >= $1 AND created_at < $2 AND state = ANY($3::text[]) AND kind <> 'test'
      AND ($4::uuid IS NULL OR endpoint_id = $4)
      AND id >= $5 AND id < $6
    ORDER BY id LIMIT $7 FOR UPDATE SKIP LOCKED
"""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a stretch of time."""

    since: datetime
    until: datetime
    #: dead, done, or both
    states: Sequence[str]
    endpoint: UUID | None = None


async def replay_span(conn: Connection, span: Span) -> int:
    """Send the ended messages of a stretch of time again, MAX_REPLAYED at most; how many."""
    low, high = _id_at(span.since), _id_at(span.until, after=True)
    rows = await conn.fetch(
        _ENDED,
        span.since,
        span.until,
        list(span.states),
        span.endpoint,
        low,
        high,
        MAX_REPLAYED,
        timeout=LONG_S,
    )
    ids = [row["id"] for row in rows]
    return len(await conn.fetch(_REPLAY, ids, timeout=LONG_S)) if ids else 0


def _id_at(at: datetime, *, after: bool = False) -> UUID:
    """An id below those made at an instant, or with `after` above; an hour to spare for clocks."""
    hour_ms = 3_600_000
    milliseconds = int(at.timestamp() * 1000) + (hour_ms if after else -hour_ms)
    return UUID(int=max(0, min(milliseconds, (1 << 48) - 1)) << 80)


_TEST: Final[LiteralString] = """
    INSERT INTO delivery (id, kind, rule_id, endpoint_id)
    SELECT $1, 'test', $2, e.id FROM alert_endpoint e WHERE e.id = $3 AND e.state = 'active'
    RETURNING id
"""
_CLOSE_BREAKER: Final[LiteralString] = "UPDATE alert_endpoint SET open_until = NULL WHERE id = $1"


async def add_test(conn: Connection, rule_id: UUID, endpoint_id: UUID) -> UUID | None:
    """A message that says it is a test, due now whatever its breaker says; None: switched off."""
    made: UUID | None = await conn.fetchval(_TEST, uuid7(), rule_id, endpoint_id)
    if made is not None:
        await conn.execute(_CLOSE_BREAKER, endpoint_id)
    return made


#: in the order in which they can go
FORGET: Final[tuple[LiteralString, ...]] = (
    "DELETE FROM delivery WHERE domain = $1",
    """
    UPDATE delivery SET body = NULL, id = CASE WHEN attempts > 0 THEN hunter_uuid7() ELSE id END
    WHERE kind = 'digest' AND (rule_id, digest_day) IN (
        SELECT rule_id, digest_day FROM alert WHERE domain = $1 AND digest_day IS NOT NULL)
    """,
    "DELETE FROM alert WHERE domain = $1",
    "DELETE FROM alert_event WHERE domain = $1",
)


async def forget(conn: Connection, domain: str) -> None:
    """Delete what alerts and messages say of a domain.

    Digests that name it lose their text; sent again, one is written anew without the domain and
    has another id, since no id ever has two texts.
    """
    for statement in FORGET:
        await conn.execute(statement, domain)
