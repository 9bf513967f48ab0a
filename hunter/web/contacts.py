"""People at a company: entered, listed and forgotten."""

from __future__ import annotations

import msgspec
from aiohttp import web

from hunter.core.contacts import NewContact, check_contact
from hunter.core.errors import InvalidInput
from hunter.store import contacts
from hunter.store.contacts import Contact
from hunter.store.database import Connection
from hunter.web.bodies import Digest, json_body, media_type
from hunter.web.keys import DB
from hunter.web.leads import lead_in_path, name_in_path
from hunter.web.requests import EnrichRequest
from hunter.web.scans import JSON
from hunter.web.schema import id_in_path, read_json, render


class FlawView(msgspec.Struct, frozen=True):
    """An entry that was not kept."""

    #: place in the list, from 0
    index: int
    field: str
    #: unreachable, email_invalid, phone_invalid, too_long, unprintable or source_missing
    reason: str
    #: what to do
    detail: str


class ContactsView(msgspec.Struct, frozen=True, kw_only=True):
    """The people of a lead, those entered last first."""

    domain: str
    contacts: list[Contact]


class EnrichView(ContactsView, frozen=True, kw_only=True):
    """What became of the entries."""

    accepted: int
    rejected: list[FlawView]


async def enrich(request: web.Request) -> web.Response:
    """POST /leads/{domain}/enrich"""
    media_type(request, JSON)
    given = read_json(await json_body(request, Digest(request)), EnrichRequest)
    good: list[NewContact] = []
    flawed: list[FlawView] = []
    for index, each in enumerate(given.contacts):
        checked = check_contact(
            name=each.name,
            role=each.role,
            email=each.email,
            phone=each.phone,
            source=each.source or given.source,
            purpose=each.purpose or given.purpose,
        )
        if isinstance(checked, NewContact):
            good.append(checked)
        else:
            flawed.append(FlawView(index, checked.field, checked.reason, checked.detail))
    if not good:
        places = tuple((f"/contacts/{each.index}/{each.field}", each.detail) for each in flawed)
        raise InvalidInput(
            "No contact can be kept.", errors=places or (("/contacts", "give at least one"),)
        )
    domain = name_in_path(request)

    async def work(conn: Connection) -> list[Contact]:
        return await contacts.upsert(conn, domain, good)

    kept = await request.app[DB].transact(work)
    return render(
        EnrichView(domain=domain, contacts=kept, accepted=len(good), rejected=flawed),
        headers=_PRIVATE,
    )


#: personal data is for the caller alone
_PRIVATE = {"Cache-Control": "no-store"}


async def list_contacts(request: web.Request) -> web.Response:
    """GET /leads/{domain}/contacts"""
    lead = await lead_in_path(request)
    async with request.app[DB].acquire() as conn:
        found = await contacts.of_lead(conn, lead.domain)
    return render(ContactsView(domain=lead.domain, contacts=found), headers=_PRIVATE)


async def forget_contact(request: web.Request) -> web.Response:
    """DELETE /leads/{domain}/contacts/{contact_id}"""
    domain, contact_id = name_in_path(request), id_in_path(request, "contact_id")
    await request.app[DB].transact(lambda conn: contacts.remove(conn, domain, contact_id))
    return web.Response(status=204)
