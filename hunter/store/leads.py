"""Leads read: one, a page of them, and what a search may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, LiteralString

import msgspec

from hunter.core.errors import NotFound
from hunter.core.judgement import Finding, Judgement, MailHost, ScoreLine, Signal
from hunter.store.database import Connection
from hunter.store.lead_filters import (
    LeadFilter,
    Sort,
    filter_arguments,
    is_merged,
    query_for,
    score_rank,
)
from hunter.store.pages import Page, read_cursor, write_cursor

_judgement_of: Final = msgspec.json.Decoder(Judgement).decode


class Glance(Judgement, frozen=True, kw_only=True):
    """A judgement as a list shows it: what it rests on is passed over in the JSON, and empty here.

    That is most of a judgement, and most of what reading a page of them costs.
    """

    # named as no field of the JSON is
    mx_hosts: tuple[MailHost, ...] = msgspec.field(name="-mx_hosts", default=())
    signals: dict[str, Signal] = msgspec.field(name="-signals", default_factory=dict)
    lines: tuple[ScoreLine, ...] = msgspec.field(name="-lines", default=())
    findings: tuple[Finding, ...] = msgspec.field(name="-findings", default=())
    would_change: tuple[str, ...] = msgspec.field(name="-would_change", default=())


_glance_of: Final = msgspec.json.Decoder(Glance).decode


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """One company domain: what ingest told us and the current judgement.

    Before the first scan `judgement` and every column that comes from it are None.
    """

    domain: str
    display_name: str
    company_name: str | None
    source: str | None
    notes: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    last_scanned_at: datetime | None
    next_scan_at: datetime | None
    scan_status: str
    provider: str | None
    mx_operator: str | None
    gateway: str | None
    local_provider: bool | None
    mail_state: str | None
    tenant_state: str | None
    tenant_name: str | None
    segment: str | None
    priority: int | None
    score: int | None
    fit: int | None
    urgency: int | None
    confidence: float | None
    posture: str | None
    dmarc_policy: str | None
    reason: str | None
    rules_version: str | None
    fingerprint: str | None
    tags: list[str]
    is_favourite: bool
    #: called, won or lost
    mark: str | None
    #: time of the latest change of its records
    last_changed_at: datetime | None
    market: str
    judgement: Judgement | None


_FROM_COLUMNS: Final = tuple(name for name in Lead.__struct_fields__ if name != "judgement")
_columns_of: Final = itemgetter(*_FROM_COLUMNS)
COLUMNS: Final[LiteralString] = """
    domain, display_name, company_name, source, notes, first_seen_at, last_seen_at,
    last_scanned_at, next_scan_at, scan_status, provider, mx_operator, gateway, local_provider,
    mail_state, tenant_state, tenant_name, segment, priority, score, fit, urgency, confidence,
    posture, dmarc_policy, reason, rules_version, fingerprint, judgement, call_rank, tags,
    is_favourite, mark, last_changed_at, market
"""
_GET: Final[LiteralString] = f"SELECT {COLUMNS} FROM lead WHERE domain = $1"  # noqa: S608  # of constants


async def get(conn: Connection, domain: str) -> Lead:
    """The lead of a domain. Raises NotFound."""
    row = await conn.fetchrow(_GET, domain)
    if row is None:
        raise NotFound(f"no lead {domain}")
    return lead_from_row(row)


_GET_MANY: Final[LiteralString] = f"SELECT {COLUMNS} FROM lead WHERE domain = ANY($1::text[])"  # noqa: S608  # of constants


async def get_many(conn: Connection, domains: list[str]) -> dict[str, Lead]:
    """The leads of these domains that exist, by domain."""
    rows = await conn.fetch(_GET_MANY, domains)
    return {row["domain"]: lead_from_row(row) for row in rows}


_KEYS: Final = {
    Sort.CALL: int,
    Sort.SCORE: int,
    Sort.CONFIDENCE: float,
    Sort.DOMAIN: str,
    Sort.SCANNED: str,
    Sort.CHANGED: str,
}


async def search(
    conn: Connection,
    wanted: LeadFilter,
    sort: Sort = Sort.CALL,
    after: str | None = None,
    limit: int = 50,
    *,
    is_judged: bool = True,
) -> Page[Lead]:
    """A page of the leads that match, behind the cursor `after`, which belongs to filter and order.

    Their judgements are a `Glance`. Without `is_judged` they come without, which makes most of a row.
    Prepared anew each time: a plan kept for all filters could use the index of none.
    """
    kind = f"leads:{sort.value}:{wanted.digest()}"
    key, domain = read_cursor(kind, after, _KEYS[sort], str)
    few = await is_few(conn, wanted, sort)
    query = query_for(wanted, sort, None if domain is None else (key, domain), is_few=few)
    if query is None:
        return Page([])
    statement = await conn.prepare(query.statement)
    values = filter_arguments(wanted, query.driven)
    rows = await statement.fetch(*values, limit + 1, is_judged, *query.place)
    leads = [lead_from_row(row, _glance_of) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(leads)
    return Page(leads, write_cursor(kind, *_key(rows[limit - 1], sort)))


#: so many leads are found and sorted sooner than a list is walked for them
_FEW: Final = 300
#: whichever way the planner goes, it ends soon: at the last match, or where there are enough of them
_COUNT: Final[LiteralString] = """
    SELECT count(*) FROM (SELECT FROM lead WHERE search LIKE $1 LIMIT $2) found
"""


async def is_few(conn: Connection, wanted: LeadFilter, sort: Sort) -> bool:
    """True when the search alone leaves so few leads that they are found and sorted at once."""
    pattern = wanted.pattern()
    # one stretch is searched once either way, and there the planner chooses well by itself
    if pattern is None or not is_merged(wanted, sort):
        return False
    statement = await conn.prepare(_COUNT)
    return bool(await statement.fetchval(pattern, _FEW + 1) <= _FEW)


def _key(row: Mapping[str, Any], sort: Sort) -> tuple[object, str]:
    domain: str = row["domain"]
    match sort:
        case Sort.CALL:
            return row["call_rank"], domain
        case Sort.SCORE:
            return score_rank(row["call_rank"]), domain
        case Sort.CONFIDENCE:
            return -1.0 if row["confidence"] is None else row["confidence"], domain
        case Sort.DOMAIN:
            return domain, domain
        case Sort.SCANNED | Sort.CHANGED:
            moment = row[sort.value]
            return moment.isoformat() if moment else "-infinity", domain


def lead_from_row(
    row: Mapping[str, Any], decode: Callable[[str], Judgement] = _judgement_of
) -> Lead:
    """A row with the columns of `Lead`, decoded."""
    values = dict(zip(_FROM_COLUMNS, _columns_of(row), strict=True))
    judgement = decode(row["judgement"]) if row["judgement"] else None
    if judgement is not None and row["rules_version"] != judgement.rules_version:
        # other rules made the same of it, so that it was not written anew
        judgement = msgspec.structs.replace(judgement, rules_version=row["rules_version"])
    return Lead(**values, judgement=judgement)
