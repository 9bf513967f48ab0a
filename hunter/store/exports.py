"""Leads as flat rows for files: no evidence, one short read a page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec

from hunter.store.database import Connection
from hunter.store.lead_filters import PARAMETERS, WHERE, LeadFilter, Sort, filter_arguments
from hunter.store.pages import Page, read_cursor, write_cursor


class FlatLead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One lead as a row of a file; None is not known."""

    domain: str
    display_name: str
    company_name: str | None = None
    source: str | None = None
    priority: int | None = None
    segment: str | None = None
    score: int | None = None
    fit: int | None = None
    urgency: int | None = None
    confidence: float | None = None
    confidence_word: str | None = None
    provider: str | None = None
    provider_name: str | None = None
    mx_operator: str | None = None
    mx_operator_name: str | None = None
    gateway: str | None = None
    tenant_state: str | None = None
    tenant_name: str | None = None
    mail_state: str | None = None
    local_provider: bool | None = None
    posture: str | None = None
    dmarc_policy: str | None = None
    #: names, joined by commas
    products: str = ""
    reason: str | None = None
    scan_status: str = "pending"
    scanned_at: datetime | None = None
    first_seen_at: datetime | None = None
    rules_version: str | None = None


#: what a judgement alone knows is unpacked once a row, not once a field
_COLUMNS: Final[LiteralString] = """
    found.domain, display_name, company_name, source, priority, segment, score, fit, urgency,
    round(confidence::numeric, 3)::float8 AS confidence, j.confidence_word, provider,
    j.provider_name, mx_operator, j.mx_operator_name, gateway, tenant_state, tenant_name,
    mail_state, local_provider, posture, dmarc_policy,
    (SELECT string_agg(p ->> 'name', ', ') FROM jsonb_array_elements(j.products) p) AS products,
    reason, scan_status, last_scanned_at AS scanned_at, first_seen_at, rules_version, call_rank
"""
_UNPACKED: Final[LiteralString] = """
    LEFT JOIN LATERAL jsonb_to_record(found.judgement) AS j(
        provider_name text, mx_operator_name text, confidence_word text, products jsonb
    ) ON found.judgement IS NOT NULL
"""
_LIMIT, _KEY, _DOMAIN = (f"${PARAMETERS + n}" for n in (1, 2, 3))
_BY_DOMAIN: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM (
        SELECT * FROM lead
        WHERE {WHERE} AND ({_KEY}::text IS NULL OR domain > {_KEY}) AND ({_DOMAIN}::text IS NULL OR true)
        ORDER BY domain LIMIT {_LIMIT}
    ) found {_UNPACKED} ORDER BY found.domain
"""  # noqa: S608  # of constants
_BY_CALL: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM (
        SELECT * FROM lead
        WHERE {WHERE} AND ({_KEY}::integer IS NULL OR (call_rank, domain) > ({_KEY}, {_DOMAIN}::text))
        ORDER BY call_rank, domain LIMIT {_LIMIT}
    ) found {_UNPACKED} ORDER BY call_rank, found.domain
"""  # noqa: S608  # of constants


async def export_page(
    conn: Connection, wanted: LeadFilter, sort: Sort, after: str | None = None, limit: int = 1000
) -> Page[FlatLead]:
    """A page of the leads that match, in the order `Sort.DOMAIN` or `Sort.CALL`.

    By domain, every lead comes exactly once whatever happens meanwhile; in call order, one that
    is judged anew between two pages may move over their border.
    """
    by_call = sort is Sort.CALL
    kind = f"export_{sort.value}:{wanted.digest()}"
    key, domain = read_cursor(kind, after, int if by_call else str, str)
    statement = await conn.prepare(_BY_CALL if by_call else _BY_DOMAIN)
    rows = await statement.fetch(*filter_arguments(wanted), limit, key, domain)
    items = [_flat_lead(row) for row in rows]
    if len(rows) < limit:
        return Page(items)
    last = rows[-1]
    last_key = last["call_rank"] if by_call else last["domain"]
    return Page(items, write_cursor(kind, last_key, last["domain"]))


def _flat_lead(row: Mapping[str, Any]) -> FlatLead:
    values = {name: row[name] for name in FlatLead.__struct_fields__}
    values["products"] = values["products"] or ""
    return FlatLead(**values)
