"""Alert rules: kept, changed, tried on the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import asyncpg
import msgspec

from hunter.core.channels import Cadence, Kind
from hunter.core.errors import Conflict, InvalidInput, NotFound
from hunter.store import audit, digests
from hunter.store.database import LONG_S, Connection, savepoint
from hunter.store.deliveries import NOTIFIES, WANTS
from hunter.store.pages import Page, read_cursor, write_cursor

#: each is looked at for every change
MAX_RULES: Final = 1000


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes a rule wants; None wants any."""

    kinds: list[Kind]
    segments: list[str] | None = None
    providers: list[str] | None = None
    min_score: int | None = None
    #: this one and those above it; 1 is called first
    lowest_priority: int | None = None
    tags: list[str] | None = None
    domains: list[str] | None = None
    markets: list[str] | None = None


class Wanted(Filters, frozen=True, kw_only=True):
    """A rule as somebody wants it."""

    name: str
    is_enabled: bool
    cadence: Cadence
    timezone: str
    digest_hour: int
    endpoints: list[UUID]
    #: the next digest of a daily rule
    digest_at: datetime | None


class Rule(Filters, frozen=True, kw_only=True):
    """A rule as it is."""

    id: UUID
    name: str
    is_enabled: bool
    cadence: Cadence
    timezone: str
    digest_hour: int
    digest_at: datetime | None
    endpoints: list[UUID]
    created_at: datetime
    updated_at: datetime


_COLUMNS: Final[LiteralString] = """
    r.id, r.name, r.is_enabled, r.kinds, r.segments, r.providers, r.min_score, r.lowest_priority,
    r.tags, r.domains, r.markets, r.cadence, r.timezone, r.digest_hour, r.digest_at, r.created_at,
    r.updated_at,
    ARRAY(SELECT e.endpoint_id FROM alert_rule_endpoint e WHERE e.rule_id = r.id ORDER BY 1)
        AS endpoints
"""
_ADD: Final[LiteralString] = """
    INSERT INTO alert_rule (id, kinds, segments, providers, min_score, lowest_priority, tags,
        domains, markets, name, is_enabled, cadence, timezone, digest_hour, digest_at)
    SELECT $1::uuid, $2::text[], $3::text[], $4::text[], $5::smallint, $6::smallint, $7::text[],
        $8::text[], $9::text[], $10::text, $11::boolean, $12::text, $13::text, $14::smallint,
        $15::timestamptz
    WHERE (SELECT count(*) FROM alert_rule WHERE deleted_at IS NULL) < $16
    RETURNING id
"""
_TELL: Final[LiteralString] = """
    INSERT INTO alert_rule_endpoint (rule_id, endpoint_id)
    SELECT $1, e FROM unnest($2::uuid[]) AS e ON CONFLICT DO NOTHING
"""


async def add(conn: Connection, rule_id: UUID, wanted: Wanted) -> Rule:
    """Store a rule. Raises InvalidInput for an endpoint that is not there, Conflict when full."""
    if await conn.fetchval(_ADD, rule_id, *_values(wanted), MAX_RULES) is None:
        raise Conflict(f"there are {MAX_RULES} rules, which is the limit; delete some")
    await _tell(conn, rule_id, wanted.endpoints)
    await audit.record(conn, "rule.created", rule_id)
    return await get(conn, rule_id)


async def _tell(conn: Connection, rule_id: UUID, endpoints: Sequence[UUID]) -> None:
    try:
        async with savepoint(conn):
            await conn.execute(_TELL, rule_id, endpoints)
    except asyncpg.ForeignKeyViolationError:
        told = "names an endpoint that does not exist; GET /api/v1/alerts/endpoints lists them"
        raise InvalidInput(f"The rule {told}.", errors=(("/endpoints", told),)) from None


def _filters(wanted: Filters) -> tuple[object, ...]:
    return (
        [kind.value for kind in wanted.kinds],
        wanted.segments,
        wanted.providers,
        wanted.min_score,
        wanted.lowest_priority,
        wanted.tags,
        wanted.domains,
        wanted.markets,
    )


def _values(wanted: Wanted) -> tuple[object, ...]:
    return (
        *_filters(wanted),
        wanted.name,
        wanted.is_enabled,
        wanted.cadence.value,
        wanted.timezone,
        wanted.digest_hour,
        wanted.digest_at,
    )


_GET: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM alert_rule r WHERE r.id = $1 AND r.deleted_at IS NULL
"""  # noqa: S608  # of constants


async def get(conn: Connection, rule_id: UUID) -> Rule:
    """A rule. Raises NotFound."""
    row = await conn.fetchrow(_GET, rule_id)
    if row is None:
        raise NotFound(f"no alert rule {rule_id}")
    return _rule(row)


_LIST: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM alert_rule r
    WHERE r.deleted_at IS NULL AND ($1::uuid IS NULL OR r.id < $1) ORDER BY r.id DESC LIMIT $2
"""  # noqa: S608  # of constants


async def page(conn: Connection, after: str | None, limit: int) -> Page[Rule]:
    """Rules, newest first."""
    (key,) = read_cursor("rules", after, UUID)
    rows = await conn.fetch(_LIST, key, limit + 1)
    items = [_rule(row) for row in rows[:limit]]
    return Page(items, write_cursor("rules", items[-1].id) if len(rows) > limit else None)


_LOCK: Final[LiteralString] = """
    SELECT (now() AT TIME ZONE 'UTC')::date FROM alert_rule
    WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE
"""
_REPLACE: Final[LiteralString] = """
    UPDATE alert_rule SET kinds = $2, segments = $3, providers = $4, min_score = $5,
        lowest_priority = $6, tags = $7, domains = $8, markets = $9, name = $10, is_enabled = $11,
        cadence = $12, timezone = $13, digest_hour = $14, digest_at = $15, updated_at = now()
    WHERE id = $1
"""
_TELL_NO_MORE: Final[LiteralString] = """
    DELETE FROM alert_rule_endpoint WHERE rule_id = $1 AND NOT endpoint_id = ANY($2::uuid[])
"""


async def replace(conn: Connection, rule_id: UUID, wanted: Wanted) -> Rule:
    """Make a rule another. What a daily rule has not told yet is told when it is daily no more.

    Raises NotFound and InvalidInput.
    """
    today = await conn.fetchval(_LOCK, rule_id)
    if today is None:
        raise NotFound(f"no alert rule {rule_id}")
    await conn.execute(_TELL_NO_MORE, rule_id, wanted.endpoints)
    await _tell(conn, rule_id, wanted.endpoints)
    if wanted.cadence is Cadence.IMMEDIATE:
        await digests.close_day(conn, rule_id, today)
    await conn.execute(_REPLACE, rule_id, *_values(wanted))
    await audit.record(conn, "rule.changed", rule_id)
    return await get(conn, rule_id)


_DELETE: Final[LiteralString] = """
    UPDATE alert_rule SET deleted_at = now(), is_enabled = false
    WHERE id = $1 AND deleted_at IS NULL RETURNING id
"""
_END: Final[LiteralString] = """
    UPDATE delivery SET state = 'dead', last_error = 'rule_deleted', ended_at = now(),
        epoch = epoch + 1
    WHERE rule_id = $1 AND state IN ('ready', 'leased')
"""


async def delete(conn: Connection, rule_id: UUID) -> None:
    """Delete a rule: it matches nothing more, and what it has not told yet is not told.

    A message that is being sent at this moment may still arrive. Raises NotFound.
    """
    if await conn.fetchval(_DELETE, rule_id) is None:
        raise NotFound(f"no alert rule {rule_id}")
    await conn.execute(_END, rule_id)
    await audit.record(conn, "rule.deleted", rule_id)


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a rule would have told."""

    change_id: UUID
    domain: str
    kind: Kind
    at: datetime
    before: dict[str, Any]
    after: dict[str, Any]


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would have told of the past."""

    days: int
    #: how often it would have fired
    matches: int
    #: the latest of them
    examples: list[Example]


_DRY_RUN: Final[LiteralString] = f"""
    WITH r AS (
        SELECT $1::text[] AS kinds, $2::text[] AS segments, $3::text[] AS providers,
            $4::smallint AS min_score, $5::smallint AS lowest_priority, $6::text[] AS tags,
            $7::text[] AS domains, $8::text[] AS markets
    )
    SELECT c.id AS change_id, c.domain, c.kind, c.at, c.before, c.after, count(*) OVER () AS matches
    FROM r CROSS JOIN change c JOIN lead l ON l.domain = c.domain
    WHERE c.at >= now() - make_interval(days => $9) AND {NOTIFIES} AND {WANTS}
    ORDER BY c.at DESC, c.id DESC LIMIT $10
"""  # noqa: S608  # of constants


async def dry_run(conn: Connection, wanted: Filters, *, days: int, examples: int) -> DryRun:
    """Match the changes of the last days against filters, by what each lead is now; nothing is sent."""
    rows = await conn.fetch(_DRY_RUN, *_filters(wanted), days, examples, timeout=LONG_S)
    return DryRun(
        days=days,
        matches=rows[0]["matches"] if rows else 0,
        examples=[_example(row) for row in rows],
    )


def _example(row: Mapping[str, Any]) -> Example:
    values = {name: row[name] for name in Example.__struct_fields__}
    for name in ("before", "after"):
        values[name] = msgspec.json.decode(values[name])
    return msgspec.convert(values, Example)


def _rule(row: Mapping[str, Any]) -> Rule:
    return msgspec.convert(dict(row), Rule)
