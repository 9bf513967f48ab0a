"""People at companies: added or renewed, listed, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.contacts import NewContact
from hunter.core.errors import Conflict, NotFound
from hunter.store.database import Connection
from hunter.store.identifiers import uuid7

#: people of one lead
CONTACTS_MAX: Final = 100


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A person at a company, as entered."""

    contact_id: str
    name: str | None
    role: str | None
    email: str | None
    phone: str | None
    #: where the data is from
    source: str
    #: sales, customer_care or event
    purpose: str
    created_at: datetime
    updated_at: datetime


_LOCK: Final[LiteralString] = "SELECT domain FROM lead WHERE domain = $1 FOR SHARE"
_UPSERT: Final[LiteralString] = """
    INSERT INTO contact (id, domain, identity, name, role, email, phone, source, purpose)
    SELECT id, $1, identity, name, role, email, phone, source, purpose
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[])
        AS given(id, identity, name, role, email, phone, source, purpose)
    ORDER BY identity COLLATE "C"
    ON CONFLICT (domain, identity) DO UPDATE SET
        name = coalesce(EXCLUDED.name, contact.name),
        role = coalesce(EXCLUDED.role, contact.role),
        phone = coalesce(EXCLUDED.phone, contact.phone),
        source = EXCLUDED.source, purpose = EXCLUDED.purpose, updated_at = now()
"""


async def upsert(conn: Connection, domain: str, contacts: Sequence[NewContact]) -> list[Contact]:
    """Add people to a lead, or renew what is known of them; all people of the lead afterwards.

    A value that is not given leaves the one there was. Raises NotFound without the lead, Conflict
    when it would have more than CONTACTS_MAX people. Runs in a transaction of the caller's.
    """
    if await conn.fetchval(_LOCK, domain) is None:
        raise NotFound(f"no lead {domain}")
    unique = list({each.identity: each for each in contacts}.values())
    await conn.execute(
        _UPSERT,
        domain,
        [uuid7() for _ in unique],
        [each.identity for each in unique],
        [each.name for each in unique],
        [each.role for each in unique],
        [each.email for each in unique],
        [each.phone for each in unique],
        [each.source for each in unique],
        [each.purpose.value for each in unique],
    )
    found = await of_lead(conn, domain)
    if len(found) > CONTACTS_MAX:
        raise Conflict(f"a lead has at most {CONTACTS_MAX} contacts; remove some first")
    return found


_OF_LEAD: Final[LiteralString] = """
    SELECT id, name, role, email, phone, source, purpose, created_at, updated_at
    FROM contact WHERE domain = $1 ORDER BY updated_at DESC, id
"""


async def of_lead(conn: Connection, domain: str) -> list[Contact]:
    """The people of a lead, those entered last first."""
    return [_contact(row) for row in await conn.fetch(_OF_LEAD, domain)]


_OF_LEADS: Final[LiteralString] = """
    SELECT domain, id, name, role, email, phone, source, purpose, created_at, updated_at
    FROM contact WHERE domain = ANY($1::text[]) ORDER BY domain, updated_at DESC, id
"""


async def of_leads(conn: Connection, domains: Sequence[str]) -> dict[str, list[Contact]]:
    """The people of these leads, by domain; leads without any are left out."""
    found: dict[str, list[Contact]] = {}
    for row in await conn.fetch(_OF_LEADS, list(domains)):
        found.setdefault(row["domain"], []).append(_contact(row))
    return found


_REMOVE: Final[LiteralString] = "DELETE FROM contact WHERE domain = $1 AND id = $2 RETURNING id"


async def remove(conn: Connection, domain: str, contact_id: UUID) -> None:
    """Forget a person. Raises NotFound."""
    if await conn.fetchval(_REMOVE, domain, contact_id) is None:
        raise NotFound("the lead has no contact with this id")


def _contact(row: Mapping[str, Any]) -> Contact:
    return Contact(
        contact_id=str(row["id"]),
        name=row["name"],
        role=row["role"],
        email=row["email"],
        phone=row["phone"],
        source=row["source"],
        purpose=row["purpose"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
