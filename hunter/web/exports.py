"""Leads as files, by the filters of the list."""

from __future__ import annotations

import datetime as dt
from typing import Final

from aiohttp import web

from hunter.store import exports
from hunter.store.exports import FlatLead
from hunter.store.lead_filters import Sort
from hunter.store.pages import Page
from hunter.web.files import send_file
from hunter.web.flat import dynamics_layout, dynamics_row, lead_layout, lead_row
from hunter.web.keys import DB, RULES
from hunter.web.language import language_of
from hunter.web.leads import require_known
from hunter.web.requests import ExportQuery
from hunter.web.schema import read_query
from hunter.web.streams import every_page

#: leads read at once: one short statement, a few hundred KiB
_PAGE: Final = 500


async def export_leads(request: web.Request) -> web.StreamResponse:
    """GET /leads/export"""
    query = read_query(request, ExportQuery)
    require_known(query, request.app[RULES].current.rules)
    wanted, sort = query.wanted(), Sort(query.sort)

    async def fetch(cursor: str | None) -> Page[FlatLead]:
        async with request.app[DB].acquire() as conn:
            return await exports.export_page(conn, wanted, sort, cursor, _PAGE)

    language = language_of(request, query.lang)
    is_hunter = query.profile == "hunter"
    layout = lead_layout(language) if is_hunter else dynamics_layout(language)
    rows = every_page(fetch, lead_row if is_hunter else dynamics_row)
    name = f"leads-{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    return await send_file(request, rows, layout, query, name)
