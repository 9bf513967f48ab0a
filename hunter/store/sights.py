"""One lead as it is looked at: with the other domains of its tenant, and a version of all that is shown."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, LiteralString

import msgspec

from hunter.core.errors import NotFound
from hunter.core.pending import Doubt
from hunter.store.contacts import Contact
from hunter.store.database import Connection
from hunter.store.leads import COLUMNS, Lead, lead_from_row
from hunter.store.tenants import Sibling

_siblings_of: Final = msgspec.json.Decoder(list[Sibling]).decode
_contacts_of: Final = msgspec.json.Decoder(list[Contact]).decode
_doubts_of: Final = msgspec.json.Decoder(dict[str, Doubt]).decode


class Sight(msgspec.Struct, frozen=True):
    """A lead and what is shown beside it."""

    lead: Lead
    #: other domains of its tenant, in call order
    siblings: list[Sibling]
    #: a registry was asked about it
    has_registration: bool
    #: people that somebody entered, those entered last first
    contacts: list[Contact]
    #: what waits for a second look, by question
    pending: dict[str, Doubt]


class Version(msgspec.Struct, frozen=True):
    """What is another when anything of a sight is."""

    #: of the lead's row: what If-Match holds a write to
    row: str
    #: of what is beside it
    rest: str


_LOOK: Final[LiteralString] = f"""
    SELECT {COLUMNS}, pending, xmin::text AS version,
        (SELECT r.xmin::text FROM registration r WHERE r.domain = lead.domain) AS registration,
        (
            SELECT json_agg(c) FROM (
                SELECT c.id AS contact_id, c.name, c.role, c.email, c.phone, c.source, c.purpose,
                    c.created_at, c.updated_at
                FROM contact c WHERE c.domain = lead.domain ORDER BY c.updated_at DESC, c.id
            ) c
        ) AS contacts,
        CASE WHEN tenant_name IS NOT NULL THEN (
            SELECT json_agg(s) FROM (
                SELECT s.domain, s.company_name, s.segment, s.priority, s.score FROM lead s
                WHERE s.tenant_name = lead.tenant_name AND s.domain <> lead.domain
                ORDER BY s.call_rank, s.domain LIMIT $2
            ) s
        ) END AS siblings
    FROM lead WHERE domain = $1
"""  # noqa: S608  # of constants


class Look:
    """A row read, and decoded when it is asked for: whoever has this version needs no more."""

    def __init__(self, row: object) -> None:
        self._row: dict[str, object] = row  # type: ignore[assignment]  # a Record reads by name
        beside = (self._row[name] for name in ("registration", "siblings", "contacts"))
        rest = blake2b("\n".join(map(str, beside)).encode(), digest_size=6).hexdigest()
        self.version = Version(str(self._row["version"]), rest)

    def decode(self) -> Sight:
        """Everything in it."""
        siblings, contacts = self._row["siblings"], self._row["contacts"]
        pending = self._row["pending"]
        return Sight(
            lead_from_row(self._row),
            _siblings_of(str(siblings)) if siblings else [],
            self._row["registration"] is not None,
            _contacts_of(str(contacts)) if contacts else [],
            _doubts_of(str(pending)) if pending else {},
        )


async def look(conn: Connection, domain: str, siblings: int) -> Look:
    """A lead with at most so many siblings. Raises NotFound."""
    row = await conn.fetchrow(_LOOK, domain, siblings)
    if row is None:
        raise NotFound(f"no lead {domain}")
    return Look(row)
