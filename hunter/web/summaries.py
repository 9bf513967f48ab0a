"""The page about a lead that people hand on."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Final

from aiohttp import web

from hunter.core.errors import Unavailable
from hunter.pipeline.briefing import brief_lead
from hunter.web.keys import DB, PRESS, PRICES, RULES
from hunter.web.language import language_headers, language_of
from hunter.web.leads import conditional, lead_in_path
from hunter.web.report import Report, draw
from hunter.web.requests import ReportQuery
from hunter.web.schema import read_query

#: so long a page waits for the one before
_TURN_WITHIN_S: Final = 10.0


async def summary_pdf(request: web.Request) -> web.Response:
    """GET /leads/{domain}/summary.pdf"""
    query = read_query(request, ReportQuery)
    language = language_of(request, query.lang)
    lead = await lead_in_path(request)
    knowledge, today = request.app[RULES].current, dt.datetime.now(dt.UTC).date()
    async with request.app[DB].acquire(reserved=True) as conn:
        brief = await brief_lead(
            conn, lead.domain, knowledge, request.app[PRICES], language=language, as_of=today
        )
    report = Report(
        lead=lead,
        brief=brief,
        wording=knowledge.wording,
        as_of=today,
        is_for_customer=query.audience == "customer",
    )
    name = f'inline; filename="{lead.domain}-{today}.pdf"'
    headers = {"Content-Disposition": name} | language_headers(language)
    page = await _drawn(request, report)
    return conditional(
        request, web.Response(body=page, content_type="application/pdf", headers=headers)
    )


async def _drawn(request: web.Request, report: Report) -> bytes:
    """The page, made in a thread: it takes as long as a hundred small answers."""
    press = request.app[PRESS]
    try:
        async with asyncio.timeout(_TURN_WITHIN_S):
            await press.acquire()
    except TimeoutError:
        raise Unavailable("Other pages are being made; ask again soon.", retry_after_s=5) from None
    try:
        return await asyncio.to_thread(draw, report)
    finally:
        press.release()
