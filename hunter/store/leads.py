"""Leads read: one, a page of them, and what a search may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

import msgspec

from hunter.core.errors import NotFound
from hunter.core.judgement import Judgement, SignalDates
from hunter.store.database import Connection
from hunter.store.folding import fold, like_pattern
from hunter.store.pages import Page, read_cursor, write_cursor

_judgement_of: Final = msgspec.json.Decoder(Judgement).decode
_dates_of: Final = msgspec.json.Decoder(dict[str, SignalDates]).decode


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
    judgement: Judgement | None
    #: dates of each signal by its name
    seen: dict[str, SignalDates]


class Sort(StrEnum):
    """Orders of a list of leads."""

    #: priority, then score, then confidence, best first; never scanned leads last
    CALL = "call"
    #: highest score first
    SCORE = "score"
    #: surest first
    CONFIDENCE = "confidence"
    #: by name
    DOMAIN = "domain"
    #: scanned most lately first
    SCANNED = "last_scanned_at"


class LeadFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a search wants; None wants anything."""

    segment: str | None = None
    provider: str | None = None
    mx_operator: str | None = None
    gateway: str | None = None
    tenant_state: str | None = None
    mail_state: str | None = None
    priority: int | None = None
    min_score: int | None = None
    max_score: int | None = None
    min_confidence: float | None = None
    posture: str | None = None
    dmarc_policy: str | None = None
    scan_status: str | None = None
    source: str | None = None
    local_provider: bool | None = None
    tenant_name: str | None = None
    #: part of the domain or company name; below three letters, the start of the domain
    q: str | None = None


COLUMNS: Final[LiteralString] = """
    domain, display_name, company_name, source, notes, first_seen_at, last_seen_at,
    last_scanned_at, next_scan_at, scan_status, provider, mx_operator, gateway, local_provider,
    mail_state, tenant_state, tenant_name, segment, priority, score, fit, urgency, confidence,
    posture, dmarc_policy, reason, rules_version, fingerprint, judgement, seen, call_rank
"""
#: a priority is a range of `call_rank`, which the index holds; scores as the indexes hold them
FILTERS: Final[LiteralString] = """
    FROM lead
    WHERE ($1::text IS NULL OR segment = $1)
      AND ($2::text IS NULL OR provider = $2)
      AND ($3::text IS NULL OR mx_operator = $3)
      AND ($4::text IS NULL OR gateway = $4)
      AND ($5::text IS NULL OR tenant_state = $5)
      AND ($6::text IS NULL OR mail_state = $6)
      AND ($7::integer IS NULL OR priority = $7
           AND call_rank BETWEEN $7 * 10000000 + 9000000 AND $7 * 10000000 + 10002000)
      AND ($8::integer IS NULL OR coalesce(score, -1) >= $8)
      AND ($9::integer IS NULL OR coalesce(score, -1) <= $9 AND score IS NOT NULL)
      AND ($10::real IS NULL OR coalesce(confidence, -1) >= $10)
      AND ($11::text IS NULL OR posture = $11)
      AND ($12::text IS NULL OR dmarc_policy = $12)
      AND ($13::text IS NULL OR scan_status = $13)
      AND ($14::text IS NULL OR domain COLLATE "C" >= $14 AND domain COLLATE "C" < $14 || '~')
      AND ($15::text IS NULL OR search LIKE $15)
      AND ($16::text IS NULL OR source = $16)
      AND ($17::boolean IS NULL OR local_provider = $17)
      AND ($18::text IS NULL OR tenant_name = $18)
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


_SEARCH_BY_CALL: Final[LiteralString] = f"""
    SELECT {COLUMNS} {FILTERS}
      AND ($20::integer IS NULL OR (call_rank, domain) > ($20, $21::text))
    ORDER BY call_rank, domain LIMIT $19
"""
_SEARCH_BY_SCORE: Final[LiteralString] = f"""
    SELECT {COLUMNS} {FILTERS}
      AND ($20::integer IS NULL OR (coalesce(score, -1), domain) < ($20, $21::text))
    ORDER BY coalesce(score, -1) DESC, domain DESC LIMIT $19
"""
_SEARCH_BY_CONFIDENCE: Final[LiteralString] = f"""
    SELECT {COLUMNS} {FILTERS}
      AND ($20::real IS NULL OR (coalesce(confidence, -1), domain) < ($20, $21::text))
    ORDER BY coalesce(confidence, -1) DESC, domain DESC LIMIT $19
"""
_SEARCH_BY_DOMAIN: Final[LiteralString] = f"""
    SELECT {COLUMNS} {FILTERS}
      AND ($20::text IS NULL OR domain > $20) AND ($21::text IS NULL OR true)
    ORDER BY domain LIMIT $19
"""
_SEARCH_BY_SCANNED: Final[LiteralString] = f"""
    SELECT {COLUMNS} {FILTERS}
      AND ($20::text IS NULL
           OR (coalesce(last_scanned_at, '-infinity'::timestamptz), domain)
              < ($20::text::timestamptz, $21::text))
    ORDER BY coalesce(last_scanned_at, '-infinity'::timestamptz) DESC, domain DESC LIMIT $19
"""
_SEARCHES: Final = {
    Sort.CALL: (_SEARCH_BY_CALL, int),
    Sort.SCORE: (_SEARCH_BY_SCORE, int),
    Sort.CONFIDENCE: (_SEARCH_BY_CONFIDENCE, float),
    Sort.DOMAIN: (_SEARCH_BY_DOMAIN, str),
    Sort.SCANNED: (_SEARCH_BY_SCANNED, str),
}


async def search(
    conn: Connection,
    wanted: LeadFilter,
    sort: Sort = Sort.CALL,
    after: str | None = None,
    limit: int = 50,
) -> Page[Lead]:
    """A page of the leads that match, behind the cursor `after`.

    Prepared anew each time: a plan kept for all filters could use the index of none.
    """
    query, kind = _SEARCHES[sort]
    key, domain = read_cursor(sort.value, after, kind, str)
    statement = await conn.prepare(query)
    rows = await statement.fetch(*filter_arguments(wanted), limit + 1, key, domain)
    leads = [lead_from_row(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(leads)
    return Page(leads, write_cursor(sort.value, *_key(rows[limit - 1], sort)))


def filter_arguments(wanted: LeadFilter) -> tuple[object, ...]:
    """The values of `FILTERS`, $1 to $18."""
    folded = fold(wanted.q) if wanted.q else ""
    return (
        wanted.segment,
        wanted.provider,
        wanted.mx_operator,
        wanted.gateway,
        wanted.tenant_state,
        wanted.mail_state,
        wanted.priority,
        wanted.min_score,
        wanted.max_score,
        wanted.min_confidence,
        wanted.posture,
        wanted.dmarc_policy,
        wanted.scan_status,
        # three letters make the first trigram; less than that no index can find inside a text
        folded if 0 < len(folded) < 3 else None,
        like_pattern(folded) if len(folded) >= 3 else None,
        wanted.source,
        wanted.local_provider,
        wanted.tenant_name,
    )


def _key(row: Mapping[str, Any], sort: Sort) -> tuple[object, str]:
    domain: str = row["domain"]
    match sort:
        case Sort.CALL:
            return row["call_rank"], domain
        case Sort.SCORE:
            return -1 if row["score"] is None else row["score"], domain
        case Sort.CONFIDENCE:
            return -1.0 if row["confidence"] is None else row["confidence"], domain
        case Sort.DOMAIN:
            return domain, domain
        case Sort.SCANNED:
            moment = row["last_scanned_at"]
            return moment.isoformat() if moment else "-infinity", domain


def lead_from_row(row: Mapping[str, Any]) -> Lead:
    """A row with the columns of `Lead`, decoded."""
    values = {name: row[name] for name in Lead.__struct_fields__}
    judgement = _judgement_of(row["judgement"]) if row["judgement"] else None
    if judgement is not None and row["rules_version"] != judgement.rules_version:
        # other rules made the same of it, so that it was not written anew
        judgement = msgspec.structs.replace(judgement, rules_version=row["rules_version"])
    values["judgement"] = judgement
    values["seen"] = _dates_of(row["seen"]) if row["seen"] else {}
    return Lead(**values)
