"""Leads by Microsoft tenant: one customer may own many domains."""

from __future__ import annotations

from typing import Final, LiteralString

import msgspec

from hunter.store.database import Connection
from hunter.store.leads import COLUMNS, Lead, lead_from_row
from hunter.store.pages import Page, read_cursor, write_cursor

_CURSOR: Final = "tenants"


class Tenant(msgspec.Struct, frozen=True):
    """A tenant as its domains show it."""

    #: initial name: the part before .onmicrosoft.com
    tenant_name: str
    #: domains whose records lead to it
    domains: int
    #: the one to call first
    best_lead: Lead


class Sibling(msgspec.Struct, frozen=True):
    """Another domain of the same tenant."""

    domain: str
    company_name: str | None
    segment: str | None
    priority: int | None
    score: int | None


#: A tenant stands where its best lead stands, so a page walks one index in call order and leaves
#: out a lead when the other index has a better one of its tenant.
LIST: Final[LiteralString] = f"""
    SELECT {COLUMNS},
        (SELECT count(*) FROM lead s WHERE s.tenant_name = lead.tenant_name) AS domains
    FROM lead
    WHERE tenant_name IS NOT NULL
      AND ($2::integer IS NULL OR (call_rank, domain) > ($2, $3::text))
      AND NOT EXISTS (
        SELECT FROM lead b
        WHERE b.tenant_name = lead.tenant_name
          AND (b.call_rank, b.domain) < (lead.call_rank, lead.domain)
      )
    ORDER BY call_rank, domain LIMIT $1
"""  # noqa: S608  # of constants


async def list_tenants(conn: Connection, after: str | None, limit: int) -> Page[Tenant]:
    """Tenants, those with the lead to call first on top. Raises InvalidInput for a foreign cursor."""
    rank, domain = read_cursor(_CURSOR, after, int, str)
    statement = await conn.prepare(LIST)
    rows = await statement.fetch(limit + 1, rank, domain)
    items = [Tenant(row["tenant_name"], row["domains"], lead_from_row(row)) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items)
    last = rows[limit - 1]
    return Page(items, write_cursor(_CURSOR, last["call_rank"], last["domain"]))


_SIBLINGS: Final[LiteralString] = """
    SELECT domain, company_name, segment, priority, score FROM lead
    WHERE tenant_name = $1 AND domain <> $2
    ORDER BY call_rank, domain LIMIT $3
"""


async def siblings(conn: Connection, tenant_name: str, domain: str, limit: int) -> list[Sibling]:
    """The other domains of a tenant in call order."""
    rows = await conn.fetch(_SIBLINGS, tenant_name, domain, limit)
    return [Sibling(**dict(row)) for row in rows]
