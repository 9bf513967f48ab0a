"""Leads as files, by the filters of the list."""

from __future__ import annotations

import datetime as dt
from typing import Final, TypeAlias

from aiohttp import web

from hunter.core.scopes import Scope
from hunter.store import contacts, exports
from hunter.store.contacts import Contact
from hunter.store.exports import FlatLead
from hunter.store.lead_filters import Sort
from hunter.store.pages import Page
from hunter.web.files import send_file
from hunter.web.flat import contact_cells, dynamics_layout, dynamics_row, lead_layout, lead_row
from hunter.web.keys import DB, RULES
from hunter.web.language import language_of
from hunter.web.leads import require_known
from hunter.web.middleware import require_scope
from hunter.web.requests import ExportQuery
from hunter.web.schema import read_query
from hunter.web.streams import every_page

#: a lead and its people
_Entry: TypeAlias = tuple[FlatLead, list[Contact]]
#: leads read at once: one short statement, a few hundred KiB
_PAGE: Final = 500


async def export_leads(request: web.Request) -> web.StreamResponse:
    """GET /leads/export"""
    query = read_query(request, ExportQuery)
    require_known(query, request.app[RULES].current.rules)
    if query.contacts:
        require_scope(request, Scope.LEADS_READ)
    wanted, sort = query.wanted(), Sort(query.sort)

    async def fetch(cursor: str | None) -> Page[_Entry]:
        async with request.app[DB].acquire() as conn:
            page = await exports.export_page(conn, wanted, sort, cursor, _PAGE)
            names = [each.domain for each in page.items] if query.contacts else []
            people = await contacts.of_leads(conn, names) if names else {}
        items = [(each, people.get(each.domain, [])) for each in page.items]
        return Page(items, page.next_cursor)

    def plain(entry: _Entry) -> list[object]:
        lead, people = entry
        return lead_row(lead) + (contact_cells(people) if query.contacts else [])

    language = language_of(request, query.lang)
    name = f"leads-{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    if query.profile == "dynamics365":
        rows = every_page(fetch, lambda entry: dynamics_row(*entry))
        return await send_file(request, rows, dynamics_layout(language), query, name)
    layout = lead_layout(language, contacts=query.contacts)
    return await send_file(request, every_page(fetch, plain), layout, query, name)
